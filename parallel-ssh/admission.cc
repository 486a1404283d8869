#include "parallel-ssh/admission.h"

#include "base/error.h"

namespace muster::ssh {

using base::Code;
using base::Error;

std::string penalty_text() {
  return "sshd says \"Not allowed at this time\": it penalises our address (PerSourcePenalties) for earlier failures; "
         "mend "
         "their cause and wait, each new attempt prolongs it";
}

Admission::Place::~Place() {
  if (admission_ == nullptr) return;
  const std::lock_guard lock(admission_->mutex_);
  const auto entry = admission_->endpoints_.find(endpoint_);
  if (entry == admission_->endpoints_.end()) return;
  --entry->second.inside;
  if (entry->second.inside == 0 && !entry->second.penalising) admission_->endpoints_.erase(entry);
  admission_->changed_.notify_all();
}

Admission::Place Admission::enter(const std::string& endpoint, const CancelSignal& cancel) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, cancel.token(), [&] {
    const Endpoint& at = endpoints_[endpoint];
    return at.penalising || at.inside < per_endpoint_;
  });
  if (cancel.raised()) throw Error(Code::cancelled, "interrupted before connecting");
  Endpoint& at = endpoints_[endpoint];
  if (at.penalising) throw Error(Code::unreachable, penalty_text());
  ++at.inside;
  return {*this, endpoint};
}

void Admission::penalised(const std::string& endpoint) {
  const std::lock_guard lock(mutex_);
  endpoints_[endpoint].penalising = true;
  changed_.notify_all();
}

}  // namespace muster::ssh
