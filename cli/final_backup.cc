#include "cli/final_backup.h"

#include <array>
#include <cerrno>

#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include "base/child_process.h"
#include "base/error.h"
#include "cli/exit_status.h"

namespace muster::cli {
namespace {

using base::Code;
using base::Error;

constexpr std::chrono::seconds kUndoPatience{90};
constexpr int kTickMs = 100;
constexpr std::size_t kMaxLine = 4096;

// Lines of standard error; the last one is kept, the others become warnings.
class Lines {
 public:
  explicit Lines(const base::Context& ctx) : ctx_(ctx) {}

  void take(std::string_view bytes) {
    for (const char c : bytes) {
      if (c != '\n' && line_.size() < kMaxLine) line_ += c;
      if (c != '\n') continue;
      if (!last_.empty()) ctx_.warn(last_);
      last_ = std::exchange(line_, {});
    }
  }
  const std::string& last() const { return last_; }

 private:
  const base::Context& ctx_;
  std::string line_, last_;
};

// False at its end.
bool read_some(int fd, Lines& lines) {
  std::array<char, 4096> piece{};
  const ssize_t n = ::read(fd, piece.data(), piece.size());
  if (n < 0) return errno == EAGAIN || errno == EINTR;
  lines.take({piece.data(), static_cast<std::size_t>(n)});
  return n > 0;
}

}  // namespace

void run_final_backup(const base::Context& ctx, const std::vector<std::string>& argv) {
  base::ChildProcess child(argv);
  child.standard_input().reset();
  child.standard_output().reset();
  Lines lines(ctx);
  for (;;) {
    if (ctx.stop.stop_requested()) {
      child.signal(SIGTERM);
      child.wait(kUndoPatience);
      ctx.check_stop();
    }
    std::array<pollfd, 2> set{{{.fd = child.standard_error().get(), .events = POLLIN, .revents = 0},
                               {.fd = child.ended_fd(), .events = POLLIN, .revents = 0}}};
    if (::poll(set.data(), set.size(), kTickMs) <= 0) continue;
    if (set[0].revents != 0 && !read_some(set[0].fd, lines)) break;
    if (set[0].revents == 0 && set[1].revents != 0) break;  // others may hold its standard error
  }
  const auto ended = child.wait(kUndoPatience);
  if (ended.code != 0)
    throw Error(code_of_status(ended.code),
                lines.last().empty() ? "it ended with status " + std::to_string(ended.code) : lines.last());
  if (!lines.last().empty()) ctx.warn(lines.last());
}

}  // namespace muster::cli
