#include "tests/e2e/pty_process.h"

#include <algorithm>
#include <cerrno>

#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"

namespace muster::e2e {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

PtyProcess::PtyProcess(const Launch& launch) : started_(Clock::now()), deadline_(started_ + launch.deadline) {
  const auto words = in_clean_environment(launch.argv, launch.environment);
  std::vector<char*> argv;
  for (const auto& word : words) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  winsize size{.ws_row = 24, .ws_col = 80, .ws_xpixel = 0, .ws_ypixel = 0};
  int fd = -1;
  pid_ = ::forkpty(&fd, nullptr, nullptr, &size);
  if (pid_ < 0) base::throw_errno("start " + launch.argv.at(0) + " on a terminal");
  if (pid_ == 0) {
    ::execv(argv[0], argv.data());
    ::_exit(127);
  }
  terminal_ = base::UniqueFd(fd);
}

PtyProcess::~PtyProcess() {
  if (pid_ < 0) return;
  ::kill(-pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

void PtyProcess::resize(unsigned short rows, unsigned short columns) const {
  const winsize size{.ws_row = rows, .ws_col = columns, .ws_xpixel = 0, .ws_ypixel = 0};
  if (::ioctl(terminal_.get(), TIOCSWINSZ, &size) != 0) base::throw_errno("resize a terminal");
}

bool PtyProcess::read_more() {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline_ - Clock::now());
  pollfd readable{.fd = terminal_.get(), .events = POLLIN, .revents = 0};
  if (left <= 0ms || ::poll(&readable, 1, static_cast<int>(left.count())) <= 0) return false;
  char buffer[4096];
  const auto n = ::read(terminal_.get(), buffer, sizeof buffer);
  // EIO is how a terminal says that no process has it open any more.
  if (n <= 0) return false;
  screen_.append(buffer, static_cast<std::size_t>(n));
  return true;
}

bool PtyProcess::wait_for(const std::string& text) {
  while (screen_.find(text) == std::string::npos)
    if (!read_more()) return false;
  return true;
}

void PtyProcess::write(const std::string& keys) const { base::write_all(terminal_.get(), keys); }

Finished PtyProcess::finish() {
  while (read_more()) continue;
  const bool late = Clock::now() >= deadline_;
  if (late) ::kill(-pid_, SIGKILL);
  int raw = 0;
  while (::waitpid(pid_, &raw, 0) < 0 && errno == EINTR) continue;
  pid_ = -1;
  return {.code = WIFEXITED(raw) ? WEXITSTATUS(raw) : -1,
          .signal = WIFSIGNALED(raw) ? WTERMSIG(raw) : 0,
          .late = late,
          .out = screen_,
          .took = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - started_)};
}

}  // namespace muster::e2e
