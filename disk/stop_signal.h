// Waiting for descriptors with a deadline and a way out: a stop token as something that poll(2) waits for beside them.
// One thread waits; the stop may come from any.
#pragma once

#include <optional>
#include <span>
#include <stop_token>

#include <poll.h>

#include "base/context.h"
#include "base/unique_fd.h"

namespace muster::disk {

class StopSignal {
 public:
  // At most this many descriptors in one wait.
  static constexpr std::size_t kMostDescriptors = 3;

  // Throws Error{io}.
  explicit StopSignal(const std::stop_token& stop);
  StopSignal(const StopSignal&) = delete;
  StopSignal& operator=(const StopSignal&) = delete;

  // As poll(2), which passes over negative descriptors. False: the deadline passed. Throws Error{cancelled} once a stop
  // was requested, Error{io}.
  bool poll(std::span<pollfd> set, base::TimePoint deadline) const;

 private:
  struct Raise {
    int fd;
    void operator()() const noexcept;
  };

  std::stop_token stop_;
  base::UniqueFd event_;                                 // none where nothing can ask for a stop
  std::optional<std::stop_callback<Raise>> on_request_;  // ends before the descriptor it writes to
};

}  // namespace muster::disk
