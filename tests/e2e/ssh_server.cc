#include "tests/e2e/ssh_server.h"

#include <algorithm>
#include <filesystem>
#include <utility>

#include <pwd.h>
#include <signal.h>
#include <unistd.h>

#include "base/durable_file.h"
#include "base/error.h"
#include "base/unique_fd.h"
#include "tests/e2e/muster_process.h"
#include "tests/e2e/process_table.h"

namespace muster::e2e {
namespace {

constexpr std::size_t kMaxLogBytes = 64U << 20U;

std::string lines(const std::vector<std::string>& all) {
  std::string text;
  for (const auto& line : all) text += line + '\n';
  return text;
}

void must(const std::vector<std::string>& argv) {
  const auto done = run({.argv = argv});
  if (done.code != 0) throw base::Error(base::Code::io, argv.at(0) + ": " + done.err);
}

std::string first_two_words(const std::string& line) { return line.substr(0, line.find(' ', line.find(' ') + 1)); }

}  // namespace

std::string current_user() {
  const passwd* entry = ::getpwuid(::getuid());
  if (entry == nullptr) throw base::Error(base::Code::not_found, "the current user has no name");
  return entry->pw_name;
}

SshServer::SshServer(Options options) : options_(std::move(options)) {
  endpoint_.address = options_.address.empty() ? fresh_address() : options_.address;
  endpoint_.port = free_port(endpoint_.address);
  mark_ = "MUSTER_E2E_SERVER=" + directory_.path().string();
  must({"ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "host", "-f", directory_ / "host_key"});
  host_key_ = first_two_words(base::read_file(directory_ / "host_key.pub", 4096));
  base::replace_file(directory_ / "authorized_keys", lines(options_.authorized_keys));
  write_config();
  start();
}

SshServer::~SshServer() {
  const auto tree = process_tree(sshd_->pid());
  sshd_->signal(SIGTERM);
  sshd_->wait(std::chrono::seconds(5));
  end_leftovers(tree);
}

void SshServer::write_config() const {
  // bash takes a command of sshd's for a login and reads the user's ~/.bashrc, unless SHLVL says that it is nested.
  // sshd takes the first value of a keyword, so the test's lines stand before the common ones.
  base::replace_file(
      directory_ / "sshd_config",
      lines(options_.config) +
          lines({"Port " + std::to_string(endpoint_.port), "ListenAddress " + endpoint_.address,
                 "HostKey " + (directory_ / "host_key"), "AuthorizedKeysFile " + (directory_ / "authorized_keys"),
                 "SetEnv " + mark_ + " SHLVL=2", "PidFile none", "UsePAM no", "UseDNS no", "StrictModes no",
                 "PasswordAuthentication no", "PrintMotd no", "PermitRootLogin prohibit-password", "MaxStartups 1000",
                 "LogLevel VERBOSE", "Subsystem sftp internal-sftp"}));
}

std::vector<std::string> SshServer::command() const {
  // Should the test crash, the kernel ends its servers.
  const std::vector<std::string> sshd = {"setpriv", "--pdeathsig",      "TERM", "/usr/sbin/sshd",          "-D",
                                         "-E",      directory_ / "log", "-f",   directory_ / "sshd_config"};
  if (options_.in_namespace.empty()) return sshd;
  std::vector<std::string> words = {"unshare", "--mount", "--propagation", "private", "/bin/sh", "-euc"};
  words.push_back(options_.in_namespace + "\nexec \"$@\"");
  words.emplace_back("sh");
  words.insert(words.end(), sshd.begin(), sshd.end());
  return words;
}

void SshServer::start() {
  // sshd's privilege separation wants this directory, which only a boot or the package's service makes.
  std::error_code denied;
  std::filesystem::create_directories("/run/sshd", denied);
  sshd_ = std::make_unique<base::ChildProcess>(command());
  const bool up = wait_until([&] { return static_cast<bool>(connect_to(endpoint_)); });
  if (!up) throw base::Error(base::Code::unreachable, "sshd does not start: " + log());
}

std::string SshServer::fingerprint() const {
  const auto shown = run({.argv = {"ssh-keygen", "-l", "-E", "sha256", "-f", directory_ / "host_key.pub"}});
  const auto begin = shown.out.find("SHA256:");
  return shown.out.substr(begin, shown.out.find(' ', begin) - begin);
}

std::string SshServer::known_hosts_line(const std::string& marker) const {
  return marker + "[" + endpoint_.address + "]:" + std::to_string(endpoint_.port) + ' ' + host_key_ + '\n';
}

std::string SshServer::log() const {
  return std::filesystem::exists(directory_ / "log") ? base::read_file(directory_ / "log", kMaxLogBytes) : "";
}

std::size_t SshServer::logged(const std::string& text) const {
  const std::string all = log();
  std::size_t count = 0;
  for (auto at = all.find(text); at != std::string::npos; at = all.find(text, at + 1)) ++count;
  return count;
}

void SshServer::kill_hard() {
  for (const pid_t pid : process_tree(sshd_->pid())) ::kill(pid, SIGKILL);
  sshd_->wait(std::chrono::seconds(5));
}

void SshServer::freeze_sessions() const {
  for (const pid_t pid : process_tree(sshd_->pid()))
    if (pid != sshd_->pid()) ::kill(pid, SIGSTOP);
}

void SshServer::end_leftovers(const std::vector<pid_t>& tree) const {
  // Connections outlive their listener, and would go on writing to a log that is being removed.
  for (const pid_t pid : tree)
    if (is_running(pid)) ::kill(pid, SIGKILL);
  // What a session left in the background is no child of sshd's any more, but still has what SetEnv gave it.
  for (const auto& left : processes_with(mark_)) ::kill(left.pid, SIGKILL);
  wait_until([&] { return std::none_of(tree.begin(), tree.end(), is_running); });
}

}  // namespace muster::e2e
