#include "vm/watchdog.h"

#include <array>
#include <cerrno>
#include <chrono>

#include <poll.h>
#include <unistd.h>

#include "base/context.h"
#include "base/error.h"

namespace muster::vm {
namespace {

using base::Code;
using base::Error;

constexpr std::chrono::seconds kPatience{20};  // longer than it waits for one that it takes over from
constexpr int kTickMs = 100;
constexpr std::size_t kMostHeard = 4096;

}  // namespace

bool WatchdogProcess::hear() {
  std::array<char, 256> piece{};
  const ssize_t n = ::read(process_.standard_output().get(), piece.data(), piece.size());
  if (n > 0 && heard_.size() < kMostHeard) heard_.append(piece.data(), static_cast<std::size_t>(n));
  return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

void WatchdogProcess::await(const std::string& object) {
  const auto end = base::Clock::now() + kPatience;
  while (!heard_.starts_with(kWatching) && base::Clock::now() < end) {
    pollfd p{.fd = process_.standard_output().get(), .events = POLLIN, .revents = 0};
    if (::poll(&p, 1, kTickMs) > 0 && !hear())
      throw Error(Code::io, "nobody is there to watch over " + object + ": its watchdog has ended");
  }
  if (heard_.starts_with(kWatching)) return;
  call_off();
  throw Error(Code::timeout, "nobody is there to watch over " + object + ": its watchdog does not start");
}

void WatchdogProcess::await_end() {
  for (const auto end = base::Clock::now() + kPatience; base::Clock::now() < end;) {
    pollfd p{.fd = process_.standard_output().get(), .events = POLLIN, .revents = 0};
    if (::poll(&p, 1, kTickMs) > 0 && !hear()) return;
  }
}

void WatchdogProcess::call_off() {
  [[maybe_unused]] const auto written = ::write(process_.standard_input().get(), "done\n", 5);
}

std::string WatchdogProcess::said() {
  pollfd p{.fd = process_.standard_output().get(), .events = POLLIN, .revents = 0};
  while (::poll(&p, 1, 0) > 0 && hear() && heard_.size() < kMostHeard) continue;
  return heard_.size() > kWatching.size() ? heard_.substr(kWatching.size()) : "";
}

}  // namespace muster::vm
