#include "parallel-ssh/wait.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <random>

#include <poll.h>

#include "base/error.h"

namespace muster::ssh {
namespace {

using base::Clock;
using base::Code;
using base::Error;

constexpr std::chrono::milliseconds kLongestPoll{3'600'000};
constexpr int kMostDoublings = 5;

int poll_timeout(base::TimePoint until) {
  // Rounded up, so that a wait never ends just before its deadline and spins.
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now());
  return static_cast<int>(std::clamp(left, std::chrono::milliseconds(0), kLongestPoll).count());
}

}  // namespace

std::chrono::milliseconds Patience::left() const {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
  return std::max(left, std::chrono::milliseconds(0));
}

short wait_for(int fd, short events, const Patience& patience, const std::string& what) {
  for (;;) {
    std::array<pollfd, 2> set{
        {{.fd = fd, .events = events, .revents = 0}, {.fd = patience.cancel->fd(), .events = POLLIN, .revents = 0}}};
    const int n = ::poll(set.data(), set.size(), poll_timeout(patience.deadline));
    if (n < 0 && errno != EINTR) base::throw_errno("poll");
    if (patience.cancel->raised()) throw Error(Code::cancelled, "interrupted " + what);
    if (n > 0 && set[0].revents != 0) return set[0].revents;
    if (Clock::now() >= patience.deadline) throw Error(Code::timeout, "timed out " + what);
  }
}

std::chrono::milliseconds jittered_pause(std::chrono::milliseconds first, int attempt) {
  thread_local std::minstd_rand random(std::random_device{}());
  const auto pause_ms = first.count() << std::min(attempt, kMostDoublings);
  return std::chrono::milliseconds(std::uniform_int_distribution(pause_ms / 2, pause_ms * 3 / 2)(random));
}

void pause_until(base::TimePoint until, const Patience& patience, const std::string& what) {
  while (Clock::now() < until) {
    pollfd cancel{.fd = patience.cancel->fd(), .events = POLLIN, .revents = 0};
    ::poll(&cancel, 1, poll_timeout(std::min(until, patience.deadline)));
    if (patience.cancel->raised()) throw Error(Code::cancelled, "interrupted " + what);
    if (Clock::now() >= patience.deadline) throw Error(Code::timeout, "timed out " + what);
  }
}

}  // namespace muster::ssh
