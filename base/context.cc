#include "base/context.h"

#include "base/error.h"

namespace muster::base {
namespace {

class NullEvents : public EventSink {
 public:
  void message(Severity, const std::string&) override {}
};

}  // namespace

EventSink& null_events() {
  static NullEvents events;
  return events;
}

void Context::check_stop() const {
  if (stop.stop_requested()) throw Error(Code::cancelled, "interrupted");
}

}  // namespace muster::base
