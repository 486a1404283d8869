#include "tests/e2e/muster_process.h"

#include <algorithm>
#include <cerrno>
#include <iterator>

#include <poll.h>
#include <signal.h>
#include <unistd.h>

namespace muster::e2e {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

// Appends what is there; closes at the end of file.
void drain(base::UniqueFd& fd, std::string& into) {
  char buffer[65536];
  for (;;) {
    const auto n = ::read(fd.get(), buffer, sizeof buffer);
    if (n > 0) {
      into.append(buffer, static_cast<std::size_t>(n));
    } else {
      if (n == 0 || (errno != EAGAIN && errno != EINTR)) fd.reset();
      return;
    }
  }
}

// What a program that closed its standard input early means for the writer is an error code, not its end.
void ignore_broken_pipes() { ::signal(SIGPIPE, SIG_IGN); }

}  // namespace

std::vector<std::string> in_clean_environment(const std::vector<std::string>& argv,
                                              const std::vector<std::string>& environment) {
  std::vector<std::string> words = {"/usr/bin/env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin"};
  words.insert(words.end(), environment.begin(), environment.end());
  words.insert(words.end(), argv.begin(), argv.end());
  return words;
}

MusterProcess::MusterProcess(const Launch& launch)
    : input_(launch.input), started_(Clock::now()), deadline_(started_ + launch.deadline) {
  ignore_broken_pipes();
  child_ = std::make_unique<base::ChildProcess>(in_clean_environment(launch.argv, launch.environment));
  write_input();
}

void MusterProcess::write_input() {
  auto& fd = child_->standard_input();
  if (!fd) return;
  while (!input_.empty()) {
    const auto n = ::write(fd.get(), input_.data(), input_.size());
    if (n < 0 && errno == EAGAIN) return;
    if (n < 0) break;
    input_.erase(0, static_cast<std::size_t>(n));
  }
  fd.reset();
}

bool MusterProcess::streams_open() const { return child_->standard_output() || child_->standard_error(); }

bool MusterProcess::pump_until(const std::function<bool()>& done) {
  while (!done()) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline_ - Clock::now());
    if (left <= 0ms) return false;
    // poll skips negative descriptors, which is what a closed stream has.
    pollfd fds[] = {{child_->standard_output().get(), POLLIN, 0},
                    {child_->standard_error().get(), POLLIN, 0},
                    {child_->standard_input().get(), POLLOUT, 0},
                    {child_->ended_fd(), POLLIN, 0}};
    if (::poll(fds, std::size(fds), static_cast<int>(std::min(left, 1000ms).count())) < 0) continue;
    if (fds[0].revents != 0) drain(child_->standard_output(), out_);
    if (fds[1].revents != 0) drain(child_->standard_error(), err_);
    if (fds[2].revents != 0) write_input();
    const bool quiet = (fds[0].revents | fds[1].revents) == 0;
    // Ended, and nothing more to read: what still holds the pipes is a leftover, which the fixture reports.
    if (fds[3].revents != 0 && quiet) return done();
  }
  return true;
}

bool MusterProcess::wait_for(const std::string& text) {
  return pump_until([&] { return out_.find(text) != std::string::npos || err_.find(text) != std::string::npos; });
}

bool MusterProcess::wait_for_error(const std::string& text, std::size_t from) {
  return pump_until([&] { return err_.find(text, from) != std::string::npos; });
}

Finished MusterProcess::finish() {
  pump_until([&] { return !streams_open(); });
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline_ - Clock::now());
  const bool late = left <= 0ms;
  const auto status = child_->wait(std::max(left, 0ms));
  return {.code = status.code,
          .signal = status.signal,
          .late = late,
          .out = std::move(out_),
          .err = std::move(err_),
          .took = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - started_)};
}

Finished run(const Launch& launch) { return MusterProcess(launch).finish(); }

}  // namespace muster::e2e
