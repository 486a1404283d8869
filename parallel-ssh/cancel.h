// Cancellation that poll(2) can see: a descriptor that becomes readable, and stays so, once a stop was requested.
// One for a whole run, shared by all threads; nobody reads from it.
#pragma once

#include <stop_token>

#include "base/unique_fd.h"

namespace muster::ssh {

class CancelSignal {
 public:
  // Throws base::Error{io} when no descriptor can be had.
  explicit CancelSignal(std::stop_token stop);

  int fd() const { return event_.get(); }
  bool raised() const { return stop_.stop_requested(); }
  const std::stop_token& token() const { return stop_; }

 private:
  struct Raise {
    int fd;
    void operator()() const noexcept;
  };
  base::UniqueFd event_;
  std::stop_token stop_;
  std::stop_callback<Raise> callback_;
};

}  // namespace muster::ssh
