// A TCP server that is no SSH server, or becomes one late: what a client meets in front of overloaded, broken and
// hostile machines. Runs a thread of its own; the public functions are thread-safe.
#pragma once

#include <atomic>
#include <optional>
#include <thread>
#include <vector>

#include "base/unique_fd.h"
#include "tests/e2e/loopback.h"

namespace muster::e2e {

enum class Misbehaviour {
  says_nothing,        // accepts, and that is all
  slow_banner,         // one byte of a good banner each 100 ms
  closes_at_once,      // an orderly close before the banner
  resets,              // a TCP reset before the banner
  too_many_startups,   // OpenSSH's words when MaxStartups is reached
  penalises,           // OpenSSH's words (9.8 and later) for a source it penalises
  no_ssh,              // talks something else
  endless_greeting,    // lines before the banner that never end
  stops_after_banner,  // a good banner, then neither reads nor writes
};

class BadPeer {
 public:
  struct Options {
    Misbehaviour behaviour = Misbehaviour::says_nothing;
    // How many connections it misbehaves towards, after it was well-behaved towards `before` of them; those before and
    // after are passed on to `then`.
    int first = 1'000'000;
    int before = 0;
    std::optional<Endpoint> then = {};
  };

  explicit BadPeer(Misbehaviour behaviour) : BadPeer(Options{.behaviour = behaviour}) {}
  explicit BadPeer(const Options& options);
  ~BadPeer();

  const Endpoint& endpoint() const { return listener_.endpoint; }
  int connections() const { return connections_; }

 private:
  struct Guest {
    base::UniqueFd fd;
    std::size_t sent = 0;
  };
  void serve(const std::stop_token& stop);
  void greet(base::UniqueFd fd);
  void continue_greetings();

  Options options_;
  Listener listener_;
  std::atomic<int> connections_{0};
  std::vector<Guest> guests_;         // serve()'s
  std::vector<std::jthread> relays_;  // serve()'s
  std::jthread thread_;               // last: ends before what it uses
};

}  // namespace muster::e2e
