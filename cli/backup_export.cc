#include "cli/backup_export.h"

#include <array>
#include <cerrno>
#include <filesystem>

#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/error.h"
#include "base/quantity.h"
#include "disk/guest_uri.h"
#include "disk/stop_signal.h"

namespace muster::cli {
namespace {

using base::Code;
using base::Error;
namespace fs = std::filesystem;

constexpr std::string_view kPlugin = "nbdkit-muster-plugin.so";
constexpr int kShellFindsNoProgram = 127;
constexpr std::size_t kComplaintBytes = 16U << 10;
// How often it is looked whether it has started, and whether it or the user has had enough.
constexpr std::chrono::milliseconds kStartTick{5}, kTick{100};
// For the requests that are under way.
constexpr std::chrono::milliseconds kEndPatience{10'000};

// What opens the repository comes through descriptor 3. By descriptor 4 the plugin sees that this process is gone, or
// reads no more: nbdkit's own --exit-with-parent waits for all clients to go away.
constexpr const char* kScript = "exec 3<&0 4>&1 </dev/null >&2 && exec \"$@\"";

std::string plugin_path() {
  const fs::path directory = fs::read_symlink("/proc/self/exe").parent_path();
  for (const auto& candidate : {directory / kPlugin, directory / "../libexec/muster" / kPlugin})
    if (::access(candidate.c_str(), R_OK) == 0) return candidate;
  throw Error(Code::unsupported, fmt::format("{} is not beside {}: muster is not installed whole", kPlugin,
                                             fs::read_symlink("/proc/self/exe").string()));
}

std::string checked_socket(const std::string& path) {
  if (path.empty()) return path;
  std::string absolute = fs::absolute(path);
  if (fs::symlink_status(absolute).type() != fs::file_type::not_found)
    throw Error(Code::refused, absolute + " is there already: name another path, or remove it");
  return absolute;
}

std::string bound_socket(const std::string& directory) {
  std::string path = directory + "/socket";
  if (path.size() >= sizeof sockaddr_un{}.sun_path)
    throw Error(Code::usage, "too long a path for a socket: " + fs::path(directory).parent_path().string());
  return path;
}

std::string uri_of(const ExportOptions& options, const std::string& socket, const std::string& directory) {
  if (options.port) return fmt::format("nbd://127.0.0.1:{}", *options.port);
  return disk::nbd_uri_of_socket(socket.empty() ? bound_socket(directory) : socket);
}

std::vector<std::string> command_line(const backup::Repository& repository, const ExportOptions& options,
                                      const std::string& socket, const std::string& directory) {
  std::vector<std::string> argv{"sh", "-c", kScript, "muster", "nbdkit", "--foreground", "--exit-with-parent"};
  if (options.port)
    argv.insert(argv.end(), {"--ipaddr=127.0.0.1", fmt::format("--port={}", *options.port)});
  else
    argv.push_back("--unix=" + bound_socket(directory));
  argv.emplace_back(options.writes == ExportOptions::Writes::forgotten ? "--filter=cow" : "--readonly");
  argv.insert(argv.end(), {plugin_path(), "repository=" + fs::absolute(repository.storage().where()).string(),
                           "point=" + backup::hex(options.point), "disk=" + options.disk, "credential-fd=3",
                           "starter-fd=4", "ready=" + directory + "/ready", "remove=" + directory});
  if (!socket.empty()) argv.insert(argv.end(), {"bound=" + bound_socket(directory), "socket=" + socket});
  return argv;
}

const backup::Repository& readable(const backup::Repository& repository) {
  if (repository.credential().can_read_data()) return repository;
  throw Error(Code::key, "this key may write backups, not read them: only the owner's key reads data");
}

}  // namespace

void DiskExport::Log::tell() {
  const std::lock_guard lock(mutex_);
  telling_ = true;
}

std::string DiskExport::Log::complaint() {
  thread_.join();
  return all_;
}

void DiskExport::Log::read(const std::stop_token& stop, int fd) {
  std::array<char, 4096> piece{};
  while (!stop.stop_requested()) {
    pollfd set{.fd = fd, .events = POLLIN, .revents = 0};
    if (::poll(&set, 1, static_cast<int>(kTick.count())) <= 0) continue;
    const ssize_t got = ::read(fd, piece.data(), piece.size());
    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) break;
    for (ssize_t i = 0; i < got; ++i) take(piece[static_cast<std::size_t>(i)]);
  }
  if (!line_.empty()) take('\n');
}

void DiskExport::Log::take(char c) {
  if (c != '\n' && line_.size() < kComplaintBytes) return line_.push_back(c);
  const std::lock_guard lock(mutex_);
  if (telling_) events_.message(base::Severity::warning, line_);
  all_ += (all_.empty() ? "" : "; ") + line_;
  if (all_.size() > kComplaintBytes) all_.erase(0, all_.size() - kComplaintBytes);
  line_.clear();
}

DiskExport::Server::~Server() {
  process.standard_output().reset();
  process.signal(SIGTERM);
  if (process.wait(kEndPatience).code == 0 || socket.empty()) return;
  std::error_code ignored;
  fs::remove(socket, ignored);
}

DiskExport::DiskExport(const base::Context& ctx, const backup::Repository& repository, const ExportOptions& options)
    : socket_(checked_socket(options.socket)),
      directory_(fs::path(socket_).parent_path()),
      uri_(uri_of(options, socket_, directory_.path())),
      server_{base::ChildProcess(command_line(readable(repository), options, socket_, directory_.path()))},
      log_(ctx, server_.process.standard_error().get()) {
  const base::Bytes credential = backup::encode_credential(repository.credential());
  auto& pipe = server_.process.standard_input();
  // It fits into the pipe. Where nbdkit is gone already, it has said why.
  if (::write(pipe.get(), credential.data(), credential.size()) < 0 && errno != EPIPE)
    base::throw_errno("write to nbdkit");
  pipe.reset();
  await_start(ctx, options.start_timeout);
  if (options.owner) let_in(*options.owner);
}

void DiskExport::let_in(const SocketOwner& owner) const {
  if (owner.user == ::geteuid()) return;
  if (::chown(socket_.c_str(), owner.user, owner.group) == 0) return;
  throw Error(Code::refused,
              fmt::format("{} is to be QEMU's, the user {}: only root can give it away", socket_, owner.user));
}

void DiskExport::await_start(const base::Context& ctx, std::chrono::milliseconds patience) {
  const std::string ready = directory_.path() + "/ready";
  const auto deadline = base::Clock::now() + patience;
  const disk::StopSignal stop(ctx.stop);
  while (::access(ready.c_str(), F_OK) != 0) {
    std::array<pollfd, 1> ended{{{.fd = server_.process.ended_fd(), .events = POLLIN, .revents = 0}}};
    const auto now = base::Clock::now();
    if (stop.poll(ended, std::min(deadline, now + kStartTick))) throw_ended();
    if (now >= deadline) throw Error(Code::timeout, "nbdkit did not start within " + base::format_duration(patience));
  }
  server_.socket = socket_;
  size_bytes_ = static_cast<std::uint64_t>(base::parse_integer(base::read_file(ready, 64), 0, INT64_MAX, "size"));
  log_.tell();
}

void DiskExport::throw_ended() {
  const auto status = server_.process.wait(kEndPatience);
  if (status.code == kShellFindsNoProgram) throw Error(Code::unsupported, "nbdkit is not installed: install nbdkit");
  const std::string complaint = log_.complaint();
  throw Error(Code::io, complaint.empty()
                            ? fmt::format("nbdkit ended (status {}, signal {})", status.code, status.signal)
                            : "nbdkit ended: " + complaint);
}

bool DiskExport::ended() const {
  pollfd ended{.fd = server_.process.ended_fd(), .events = POLLIN, .revents = 0};
  return ::poll(&ended, 1, 0) > 0;
}

void DiskExport::wait(const base::Context& ctx) {
  while (!ctx.stop.stop_requested()) {
    pollfd ended{.fd = server_.process.ended_fd(), .events = POLLIN, .revents = 0};
    if (::poll(&ended, 1, static_cast<int>(kTick.count())) > 0) throw_ended();
  }
}

}  // namespace muster::cli
