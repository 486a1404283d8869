#include "disk/stop_signal.h"

#include <algorithm>
#include <array>
#include <cerrno>

#include <sys/eventfd.h>

#include "base/error.h"

namespace muster::disk {
namespace {

using base::Clock;

constexpr std::chrono::milliseconds kLongestPoll{3'600'000};

int poll_timeout(base::TimePoint deadline) {
  // Rounded up, so that a wait never ends just before its deadline and spins.
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
  return static_cast<int>(std::clamp(left, std::chrono::milliseconds(0), kLongestPoll).count());
}

}  // namespace

void StopSignal::Raise::operator()() const noexcept { ::eventfd_write(fd, 1); }

StopSignal::StopSignal(const std::stop_token& stop) : stop_(stop) {
  if (!stop.stop_possible()) return;
  event_ = base::UniqueFd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!event_) base::throw_errno("make an event descriptor");
  on_request_.emplace(stop, Raise{event_.get()});
}

bool StopSignal::poll(std::span<pollfd> set, base::TimePoint deadline) const {
  std::array<pollfd, kMostDescriptors + 1> all{};
  for (;;) {
    std::copy(set.begin(), set.end(), all.begin());
    all[set.size()] = {.fd = event_.get(), .events = POLLIN, .revents = 0};
    const int found = ::poll(all.data(), set.size() + 1, poll_timeout(deadline));
    if (found < 0 && errno != EINTR) base::throw_errno("wait for a descriptor");
    if (stop_.stop_requested()) throw base::Error(base::Code::cancelled, "interrupted");
    std::copy_n(all.begin(), set.size(), set.begin());
    if (found > 0) return true;
    if (Clock::now() >= deadline) return false;
  }
}

}  // namespace muster::disk
