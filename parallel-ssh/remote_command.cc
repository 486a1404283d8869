#include "parallel-ssh/remote_command.h"

#include <algorithm>
#include <array>
#include <exception>

#include <libssh/callbacks.h>
#include <libssh/libssh.h>
#include <poll.h>

#include "base/error.h"
#include "parallel-ssh/command_line.h"
#include "parallel-ssh/input_feed.h"
#include "parallel-ssh/life_signs.h"
#include "parallel-ssh/session.h"

namespace muster::ssh {
namespace {

using base::Clock;
using base::Code;
using base::Error;
using base::TimePoint;
using std::chrono::milliseconds;

// How long a command's output may stay open after its end while nothing comes: something in the background holds it.
constexpr milliseconds kOutputGrace{2'000};
// And while something does come: what was on its way when the command ended may take long on a slow line, and is no
// more than a pipe and the channel's window hold; what the background writes has no end.
constexpr milliseconds kLateOutput{30'000};
constexpr std::uint64_t kLateBytes = 8U << 20;
// How long packets are handled before clocks and interruption are looked at again: a peer may send faster than our
// output is taken.
constexpr milliseconds kPumpTime{50};
// How long a command that was sent SIGTERM through sshd may take to go before it is sent by other means,
constexpr milliseconds kSignalGrace{300};
// and how long these may take.
constexpr milliseconds kTerminationGrace{1'000};
constexpr std::size_t kInputPieceBytes = 32U << 10;

// Handles a session's packets. One event a session: sessions that share one see each other's errors (libssh 0.10).
class PacketPump {
 public:
  explicit PacketPump(Session& session) : session_(session), event_(ssh_event_new()) {
    if (event_ == nullptr || ssh_event_add_session(event_, session.handle()) != SSH_OK)
      throw Error(Code::io, "cannot watch an ssh session");
  }
  PacketPump(const PacketPump&) = delete;
  PacketPump& operator=(const PacketPump&) = delete;
  ~PacketPump() {
    ssh_event_remove_session(event_, session_.handle());
    ssh_event_free(event_);
  }

  // False: the connection is lost.
  bool step() { return ssh_event_dopoll(event_, 0) != SSH_ERROR && session_.fd() >= 0; }

 private:
  Session& session_;
  ssh_event event_;
};

// An exec channel with its callbacks.
class ExecChannel {
 public:
  ExecChannel(Session& session, PacketPump& pump, InputFeed& feed, OutputSink& sink)
      : session_(session), pump_(pump), feed_(feed), sink_(sink), channel_(ssh_channel_new(session.handle())) {
    if (channel_ == nullptr) throw Error(Code::unreachable, "cannot make a channel: " + session.error_text("lost"));
    callbacks_.userdata = this;
    callbacks_.channel_data_function = [](ssh_session, ssh_channel, void* data, uint32_t length, int is_stderr,
                                          void* self) {
      static_cast<ExecChannel*>(self)->take_data({static_cast<const char*>(data), length}, is_stderr != 0);
      return static_cast<int>(length);
    };
    callbacks_.channel_eof_function = [](ssh_session, ssh_channel, void* self) {
      static_cast<ExecChannel*>(self)->eof_ = true;
    };
    callbacks_.channel_close_function = [](ssh_session, ssh_channel, void* self) {
      static_cast<ExecChannel*>(self)->closed_ = true;
    };
    callbacks_.channel_exit_status_function = [](ssh_session, ssh_channel, int status, void* self) {
      static_cast<ExecChannel*>(self)->outcome_.status = status;
    };
    callbacks_.channel_exit_signal_function = [](ssh_session, ssh_channel, const char* signal, int, const char*,
                                                 const char*, void* self) {
      static_cast<ExecChannel*>(self)->outcome_.signal = signal;
    };
    ssh_callbacks_init(&callbacks_);
    // Before the request: an exit status may come with its answer.
    ssh_set_channel_callbacks(channel_, &callbacks_);
  }
  ExecChannel(const ExecChannel&) = delete;
  ExecChannel& operator=(const ExecChannel&) = delete;
  ~ExecChannel() { ssh_channel_free(channel_); }

  void start(const std::string& command, const Patience& patience) {
    if (session_.drive([&] { return ssh_channel_open_session(channel_); }, SSH_AGAIN, patience, "opening a channel") !=
        SSH_OK)
      throw Error(Code::unsupported, "server opens no channel: " + session_.error_text("refused"));
    if (session_.drive([&] { return ssh_channel_request_exec(channel_, command.c_str()); }, SSH_AGAIN, patience,
                       "starting the command") != SSH_OK)
      throw Error(Code::unsupported, "server runs no commands: " + session_.error_text("refused"));
  }

  // Handles packets that have arrived, for a while. False: the connection is lost. Throws what the sink threw.
  bool pump() {
    for (const TimePoint until = Clock::now() + kPumpTime; Clock::now() < until;) {
      const auto before = received_;
      const bool connected = pump_.step();
      if (sink_failure_) std::rethrow_exception(sink_failure_);
      if (!connected) return false;
      if (received_ == before) break;
    }
    return true;
  }

  // Sends what standard input has, as far as the peer's window and our own queue allow: libssh would queue without
  // limit.
  void feed_input() {
    while (!input_closed_ && (session_.poll_events() & POLLOUT) == 0) {
      const std::size_t room = std::min<std::size_t>(ssh_channel_window_size(channel_), kInputPieceBytes);
      if (room == 0) return;
      const std::string piece = feed_.next(room);
      if (!piece.empty()) {
        if (ssh_channel_write(channel_, piece.data(), static_cast<uint32_t>(piece.size())) < 0) input_closed_ = true;
      } else if (feed_.at_end()) {
        ssh_channel_send_eof(channel_);
        input_closed_ = true;
      } else {
        return;
      }
    }
  }

  // Its input may grow without anything arriving from the peer.
  bool awaits_input() const { return !input_closed_ && feed_.may_grow(); }

  bool has_exit() const { return outcome_.status.has_value() || !outcome_.signal.empty(); }
  bool finished() const { return closed_ || (eof_ && has_exit()); }
  CommandOutcome& outcome() { return outcome_; }
  TimePoint last_output() const { return last_output_; }
  std::uint64_t received() const { return received_; }
  // From now on output is dropped.
  void discard_output() { discards_ = true; }
  // How long our own side took to take the output so far.
  Clock::duration sink_time() const { return sink_time_; }
  void terminate() { ssh_channel_request_send_signal(channel_, "TERM"); }

 private:
  // Called by libssh, through which nothing may be thrown.
  void take_data(std::string_view bytes, bool is_error) noexcept {
    received_ += bytes.size();
    if (sink_failure_ || discards_) return;
    try {
      pass_on(bytes, is_error);
    } catch (...) {
      sink_failure_ = std::current_exception();
    }
  }

  void pass_on(std::string_view bytes, bool is_error) {
    const TimePoint start = Clock::now();
    if (is_error) {
      const std::string own = feed_.filter_error(bytes);
      if (!own.empty()) sink_.output(Stream::err, own);
    } else {
      sink_.output(Stream::out, bytes);
    }
    last_output_ = Clock::now();  // after the sink: time it took is not the command's silence
    sink_time_ += last_output_ - start;
  }

  Session& session_;
  PacketPump& pump_;
  InputFeed& feed_;
  OutputSink& sink_;
  ssh_channel channel_;
  ssh_channel_callbacks_struct callbacks_{};
  CommandOutcome outcome_;
  std::exception_ptr sink_failure_;
  bool eof_ = false, closed_ = false, input_closed_ = false, discards_ = false;
  std::uint64_t received_ = 0;
  TimePoint last_output_ = Clock::now();
  Clock::duration sink_time_{0};
};

// When to stop waiting for the output of a command that has ended.
class OutputGrace {
 public:
  std::optional<TimePoint> ends_by(const ExecChannel& channel) {
    if (!channel.has_exit()) return std::nullopt;
    if (!exit_seen_) {
      exit_seen_ = Clock::now();
      sink_time_ = channel.sink_time();
      received_ = channel.received();
    }
    if (channel.received() - received_ > kLateBytes) return exit_seen_;
    const TimePoint quiet = std::max(*exit_seen_, channel.last_output()) + kOutputGrace;
    return std::min(quiet, *exit_seen_ + kLateOutput + (channel.sink_time() - sink_time_));
  }

 private:
  std::optional<TimePoint> exit_seen_;
  std::uint64_t received_ = 0;
  Clock::duration sink_time_{0};
};

// The clocks of a running command: when to look again, and what has run out.
class RunClocks {
 public:
  explicit RunClocks(const CommandClocks& clocks) : clocks_(clocks), life_(clocks.keepalive, clocks.keepalives) {}

  void heard() { life_.heard(); }

  TimePoint next(TimePoint last_output, std::optional<TimePoint> also) const {
    TimePoint when = life_.next();
    if (clocks_.total) when = std::min(when, start_ + *clocks_.total);
    if (clocks_.idle) when = std::min(when, last_output + *clocks_.idle);
    return also ? std::min(when, *also) : when;
  }

  // True: ask the peer for a sign of life. Throws when a clock has run out.
  bool check(TimePoint last_output) {
    const TimePoint now = Clock::now();
    if (clocks_.total && now >= start_ + *clocks_.total) throw Error(Code::timeout, "command ran into its timeout");
    if (clocks_.idle && now >= last_output + *clocks_.idle)
      throw Error(Code::timeout, "command was silent for longer than its idle timeout");
    if (life_.dead()) throw Error(Code::unreachable, "connection lost: no answer to keepalives");
    return life_.question_due();
  }

 private:
  const CommandClocks& clocks_;
  TimePoint start_ = Clock::now();
  LifeSigns life_;
};

// Polls the session, and `abort` unless that is nullptr, until `until`. True: the peer sent something.
bool wait_for_peer(const Session& session, const CancelSignal* abort, TimePoint until) {
  const auto left = std::chrono::ceil<milliseconds>(until - Clock::now()).count();
  std::array<pollfd, 2> set{{{.fd = session.fd(), .events = session.poll_events(), .revents = 0},
                             {.fd = abort == nullptr ? -1 : abort->fd(), .events = POLLIN, .revents = 0}}};
  ::poll(set.data(), set.size(), static_cast<int>(std::clamp<long>(left, 0, 3'600'000)));
  return (set[0].revents & POLLIN) != 0;
}

// Follows the command to its end. Throws when it must be ended before that.
void follow(Session& session, ExecChannel& channel, InputFeed& feed, const CommandClocks& limits,
            const CancelSignal& abort) {
  RunClocks clocks(limits);
  OutputGrace grace;
  while (!channel.finished()) {
    channel.feed_input();
    if (feed.refused()) throw Error(Code::refused, "sudo does not take the password");
    if (abort.raised()) throw Error(Code::cancelled, "interrupted while the command ran");
    const auto ends_by = grace.ends_by(channel);
    if (ends_by && Clock::now() >= *ends_by) return;
    TimePoint until = clocks.next(channel.last_output(), ends_by);
    if (channel.awaits_input()) until = std::min(until, Clock::now() + InputFeed::kAskAgain);
    if (wait_for_peer(session, &abort, until)) clocks.heard();
    if (!channel.pump() && !channel.finished()) {
      if (channel.has_exit()) return;
      throw Error(Code::unreachable, "connection lost while the command ran: " + session.error_text("closed by peer"));
    }
    if (!channel.finished() && clocks.check(channel.last_output())) session.ask_for_life();
  }
}

// True: the command has ended, or the connection is gone.
bool ended_within(Session& session, ExecChannel& channel, milliseconds patience) {
  const TimePoint until = Clock::now() + patience;
  while (!channel.finished() && !channel.has_exit()) {
    if (Clock::now() >= until) return false;
    wait_for_peer(session, nullptr, until);
    if (!channel.pump()) return true;
  }
  return true;
}

class NoOutput : public OutputSink {
 public:
  void output(Stream, std::string_view) override {}
};

// Without a terminal a command outlives its connection. sshd passes our signal on, but not for root (it wants privilege
// separation for that, and root's sessions have none), so that a second command may have to do it.
void end_command(Session& session, PacketPump& pump, ExecChannel& channel) {
  channel.terminate();
  if (ended_within(session, channel, kSignalGrace)) return;
  // What it goes on to print lies before every answer of the server, and our output may be read slowly.
  channel.discard_output();
  const CancelSignal never{std::stop_token()};
  const CommandRequest request{.command = end_siblings_line(), .input = nullptr, .sudo = {}, .clocks = {}};
  InputFeed nothing(request);
  NoOutput nowhere;
  ExecChannel killer(session, pump, nothing, nowhere);
  killer.start(request.command, {Clock::now() + kTerminationGrace, &never});
  ended_within(session, killer, kTerminationGrace);
  ended_within(session, channel, kSignalGrace);
}

}  // namespace

CommandOutcome run_over_session(Session& session, const CommandRequest& request, OutputSink& sink,
                                const CancelSignal& abort) {
  InputFeed feed(request);
  PacketPump pump(session);
  ExecChannel channel(session, pump, feed, sink);
  const auto patience = request.clocks.keepalive * request.clocks.keepalives;
  channel.start(request.command, {Clock::now() + std::min(patience, request.clocks.total.value_or(patience)), &abort});
  try {
    follow(session, channel, feed, request.clocks, abort);
  } catch (const Error& e) {
    if (e.code() == Code::unreachable) throw;
    try {
      end_command(session, pump, channel);
    } catch (const Error&) {
      // The reason why it was to end says more than what stood in the way.
    }
    throw;
  }
  if (const std::string rest = feed.finish_error(); !rest.empty()) sink.output(Stream::err, rest);
  if (!channel.has_exit()) throw Error(Code::unreachable, "connection closed before the command's exit status came");
  channel.outcome().output_cut = !channel.finished();
  return channel.outcome();
}

}  // namespace muster::ssh
