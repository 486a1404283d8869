// Waiting for something that libvirt tells of only when asked.
#pragma once

#include <chrono>
#include <functional>

#include "base/context.h"

namespace muster::vm {

inline constexpr std::chrono::milliseconds kPollInterval{200};

// Calls `happened` at once and then every `interval` until it says so. False at the deadline. Throws
// base::Error{cancelled}, and what `happened` throws.
bool wait_until(const base::Context& ctx, base::TimePoint deadline, const std::function<bool()>& happened,
                std::chrono::milliseconds interval = kPollInterval);

}  // namespace muster::vm
