#include "cli/editor.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/child_process.h"
#include "base/digest.h"
#include "base/error.h"
#include "base/unique_fd.h"
#include "cli/environment.h"
#include "parallel-ssh/cancel.h"

namespace muster::cli {
namespace {

using base::Code;
using base::Error;

constexpr std::size_t kMaxDraftBytes = 8U << 20;
constexpr std::chrono::seconds kDiffPatience{30};
// How often it is looked what the editor does.
constexpr int kTickMs = 100;

// The terminal belongs to another process group, and to ours again in the end.
class Foreground {
 public:
  explicit Foreground(pid_t group) : group_(group) {
    // Who changes this without being in the foreground gets a signal that would stop it.
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTTOU);
    ::pthread_sigmask(SIG_BLOCK, &signals, &before_);
    take();
  }
  Foreground(const Foreground&) = delete;
  Foreground& operator=(const Foreground&) = delete;
  ~Foreground() {
    ::tcsetpgrp(STDIN_FILENO, ::getpgrp());
    ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  void take() const { ::tcsetpgrp(STDIN_FILENO, group_); }

 private:
  pid_t group_;
  sigset_t before_{};
};

// In a process group of its own: Ctrl-C is the editor's.
pid_t spawn_on_terminal(const std::vector<std::string>& words) {
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  sigset_t none, all;
  sigemptyset(&none);
  sigfillset(&all);
  ::posix_spawnattr_setsigmask(&attributes, &none);
  ::posix_spawnattr_setsigdefault(&attributes, &all);
  ::posix_spawnattr_setpgroup(&attributes, 0);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  std::vector<char*> argv;
  for (const auto& word : words) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  pid_t pid = -1;
  const int error = ::posix_spawnp(&pid, argv[0], nullptr, &attributes, argv.data(), environ);
  ::posix_spawnattr_destroy(&attributes);
  if (error != 0) base::throw_errno("start " + words.front(), error);
  return pid;
}

// One that is of no use to anybody afterwards.
class PassingFile : public DraftFile {
 public:
  using DraftFile::DraftFile;
  PassingFile(const PassingFile&) = delete;
  PassingFile& operator=(const PassingFile&) = delete;
  ~PassingFile() { drop(); }
};

// The raw status of its end.
int wait_for_end(pid_t pid, const Foreground& foreground, const ssh::CancelSignal& stop) {
  bool told = false;
  for (int raw = 0;;) {
    const pid_t changed = ::waitpid(pid, &raw, WNOHANG | WUNTRACED);
    if (changed == pid && !WIFSTOPPED(raw)) return raw;
    if (changed == pid) {
      // It read before the terminal was its own, or its user typed Ctrl-Z; there is no shell here to come back to.
      foreground.take();
      ::kill(-pid, SIGCONT);
    }
    if (stop.raised() && !told) ::kill(-pid, SIGHUP);
    told = stop.raised();
    pollfd stopped{.fd = told ? -1 : stop.fd(), .events = POLLIN, .revents = 0};
    ::poll(&stopped, 1, kTickMs);
  }
}

}  // namespace

DraftFile::DraftFile(const std::string& name, std::string_view text) {
  std::string tame = name;
  std::replace_if(
      tame.begin(), tame.end(), [](unsigned char c) { return std::isalnum(c) == 0 && c != '-'; }, '_');
  path_ = temporary_directory() + "/muster-" + tame.substr(0, 100) + "-" + base::hex(base::random_bytes(8)) + ".xml";
  const base::UniqueFd file(::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!file) base::throw_errno("create " + path_);
  base::write_all(file.get(), text);
}

std::string DraftFile::text() const { return base::read_file(path_, kMaxDraftBytes); }
void DraftFile::drop() const { ::unlink(path_.c_str()); }

void edit(const DraftFile& draft, const std::stop_token& stop) {
  std::string editor = "vi";
  for (const char* name : {"EDITOR", "VISUAL"})
    if (const auto named = environment(name)) editor = *named;
  const ssh::CancelSignal cancel(stop);
  // It may have arguments of its own. The shell would not outlive a Ctrl-C that the editor does.
  const pid_t pid = spawn_on_terminal({"sh", "-c", "trap : INT; " + editor + " \"$1\"", "sh", draft.path()});
  const Foreground foreground(pid);
  const int raw = wait_for_end(pid, foreground, cancel);
  if (stop.stop_requested()) throw Error(Code::cancelled, "interrupted; what was written is in " + draft.path());
  if (!WIFEXITED(raw) || WEXITSTATUS(raw) != 0)
    throw Error(Code::io, "the editor (" + editor + ") did not end well; what was written is in " + draft.path());
}

std::string unified_diff(const NamedText& before, const NamedText& after) {
  const PassingFile old("before", before.text), next("after", after.text);
  base::ChildProcess diff({"diff", "-a", "-u", "--label", before.name, "--label", after.name, old.path(), next.path()});
  diff.standard_input().reset();
  std::string text = base::read_to_end(diff.standard_output().get(), kDiffPatience);
  if (const auto ended = diff.wait(kDiffPatience); ended.code != 0 && ended.code != 1)
    throw Error(Code::io, "diff: " + base::read_to_end(diff.standard_error().get(), kDiffPatience));
  return text;
}

}  // namespace muster::cli
