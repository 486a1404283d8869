#include "backup/local_host.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>

#include <poll.h>
#include <unistd.h>

#include "base/child_process.h"
#include "base/error.h"
#include "parallel-ssh/cancel.h"

namespace muster::backup {
namespace {

using base::Clock;
using base::Code;
using base::Error;
using std::chrono::milliseconds;

constexpr milliseconds kGoodbye{2000}, kAskAgain{50};
constexpr std::size_t kPieceBytes = 256U << 10;

class LocalRun {
 public:
  LocalRun(const std::string& command, const ssh::InputSource* input, ssh::OutputSink& sink)
      : child_({"sh", "-c", command}), input_(input), sink_(sink), piece_(kPieceBytes, '\0') {}

  int drive(const ssh::CancelSignal& stop, milliseconds idle) {
    auto last = Clock::now();
    while (child_.standard_output() || child_.standard_error()) {
      if (feed() || wait(stop)) last = Clock::now();
      if (Clock::now() - last > idle)
        throw Error(Code::timeout, "the command was silent for longer than its idle timeout");
    }
    const auto status = child_.wait(kGoodbye);
    return status.signal != 0 ? 128 + status.signal : status.code;
  }

 private:
  // Whether anything was taken.
  bool feed() {
    bool any = false;
    while (child_.standard_input()) {
      if (pending_.empty() && input_ != nullptr) {
        pending_ = input_->read(offset_, kPieceBytes);
        offset_ += pending_.size();
      }
      if (pending_.empty()) {
        if (input_ == nullptr || input_->ends_at(offset_)) child_.standard_input().reset();
        return any;
      }
      const ssize_t n = ::write(child_.standard_input().get(), pending_.data(), pending_.size());
      if (n < 0 && (errno == EAGAIN || errno == EINTR)) return any;
      if (n < 0) return child_.standard_input().reset(), any;  // it does not want the rest
      pending_.erase(0, static_cast<std::size_t>(n));
      any = true;
    }
    return any;
  }

  // Whether anything was printed.
  bool wait(const ssh::CancelSignal& stop) {
    std::array<pollfd, 4> set{
        {{.fd = child_.standard_output().get(), .events = POLLIN, .revents = 0},
         {.fd = child_.standard_error().get(), .events = POLLIN, .revents = 0},
         {.fd = pending_.empty() ? -1 : child_.standard_input().get(), .events = POLLOUT, .revents = 0},
         {.fd = stop.fd(), .events = POLLIN, .revents = 0}}};
    const bool grows = child_.standard_input() && pending_.empty();
    ::poll(set.data(), set.size(), static_cast<int>((grows ? kAskAgain : milliseconds(1000)).count()));
    if (stop.raised()) throw Error(Code::cancelled, "interrupted while the command ran");
    const bool out = take(child_.standard_output(), ssh::Stream::out);
    return take(child_.standard_error(), ssh::Stream::err) || out;
  }

  bool take(base::UniqueFd& fd, ssh::Stream stream) {
    if (!fd) return false;
    const ssize_t n = ::read(fd.get(), piece_.data(), piece_.size());
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return false;
    if (n <= 0) return fd.reset(), true;
    sink_.output(stream, std::string_view(piece_).substr(0, static_cast<std::size_t>(n)));
    return true;
  }

  base::ChildProcess child_;  // its destructor ends what runs
  const ssh::InputSource* input_;
  ssh::OutputSink& sink_;
  std::string piece_, pending_;
  std::uint64_t offset_ = 0;
};

}  // namespace

int LocalHost::run(const base::Context& ctx, const std::string& command, const ssh::InputSource* input,
                   ssh::OutputSink& sink) {
  const ssh::CancelSignal stop(ctx.stop);
  const std::string line = ssh::remote_command_line({.command = command, .script = {}, .sudo = sudo_}, nullptr);
  return LocalRun(line, input, sink).drive(stop, idle_);
}

}  // namespace muster::backup
