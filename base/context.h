// What every engine function that waits, loops over much, spawns or reports takes first: when to stop, where events go,
// what time it is. A Context is a value of references: it never outlives the command that made it. Thread-safe.
#pragma once

#include <chrono>
#include <stop_token>
#include <string>

namespace muster::base {

using Clock = std::chrono::steady_clock;
using TimePoint = Clock::time_point;
using std::chrono::milliseconds;
using std::chrono::seconds;

enum class Severity { note, warning };

// Takes what engines have to say beside their result. Implementations are thread-safe and may block (back-pressure).
class EventSink {
 public:
  virtual ~EventSink() = default;
  // One line of text without newline, lower case, naming its object.
  virtual void message(Severity severity, const std::string& text) = 0;
};

// Drops everything.
EventSink& null_events();

struct Context {
  std::stop_token stop;
  EventSink* events = &null_events();

  // Throws Error{cancelled} once a stop was requested.
  void check_stop() const;
  void note(const std::string& text) const { events->message(Severity::note, text); }
  void warn(const std::string& text) const { events->message(Severity::warning, text); }
};

}  // namespace muster::base
