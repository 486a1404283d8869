#include "parallel-ssh/cancel.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include "base/error.h"

namespace muster::ssh {
namespace {

base::UniqueFd make_event() {
  base::UniqueFd event(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!event) base::throw_errno("make an event descriptor");
  return event;
}

}  // namespace

void CancelSignal::Raise::operator()() const noexcept { ::eventfd_write(fd, 1); }

CancelSignal::CancelSignal(std::stop_token stop)
    : event_(make_event()), stop_(std::move(stop)), callback_(stop_, Raise{event_.get()}) {}

}  // namespace muster::ssh
