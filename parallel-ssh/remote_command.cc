#include "parallel-ssh/remote_command.h"

#include <algorithm>
#include <array>
#include <exception>

#include <libssh/callbacks.h>
#include <libssh/libssh.h>
#include <poll.h>

#include "base/error.h"
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

// How long a command's output may stay open after its end, when something in the background holds it.
constexpr milliseconds kOutputGrace{2'000};
// How long a command that was sent SIGTERM may take to go.
constexpr milliseconds kTerminationGrace{1'000};
constexpr std::size_t kInputPieceBytes = 32U << 10;

// An exec channel with its callbacks and the packet pump of its session. One event a session: sessions that share one
// see each other's errors (libssh 0.10).
class ExecChannel {
 public:
  ExecChannel(Session& session, InputFeed& feed, OutputSink& sink)
      : session_(session), feed_(feed), sink_(sink), channel_(ssh_channel_new(session.handle())) {
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
  ~ExecChannel() {
    if (event_ != nullptr) {
      ssh_event_remove_session(event_, session_.handle());
      ssh_event_free(event_);
    }
    ssh_channel_free(channel_);
  }

  void start(const std::string& command, const Patience& patience) {
    if (session_.drive([&] { return ssh_channel_open_session(channel_); }, SSH_AGAIN, patience, "opening a channel") !=
        SSH_OK)
      throw Error(Code::unsupported, "server opens no channel: " + session_.error_text("refused"));
    if (session_.drive([&] { return ssh_channel_request_exec(channel_, command.c_str()); }, SSH_AGAIN, patience,
                       "starting the command") != SSH_OK)
      throw Error(Code::unsupported, "server runs no commands: " + session_.error_text("refused"));
    event_ = ssh_event_new();
    if (event_ == nullptr || ssh_event_add_session(event_, session_.handle()) != SSH_OK)
      throw Error(Code::io, "cannot watch an ssh session");
  }

  // Handles all packets that have arrived. False: the connection is lost. Throws what the sink threw.
  bool pump() {
    for (;;) {
      const auto before = received_;
      const int rc = ssh_event_dopoll(event_, 0);
      if (sink_failure_) std::rethrow_exception(sink_failure_);
      if (rc == SSH_ERROR || session_.fd() < 0) return false;
      if (received_ == before) return true;
    }
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

  bool has_exit() const { return outcome_.status.has_value() || !outcome_.signal.empty(); }
  bool finished() const { return closed_ || (eof_ && has_exit()); }
  CommandOutcome& outcome() { return outcome_; }
  TimePoint last_output() const { return last_output_; }
  void terminate() { ssh_channel_request_send_signal(channel_, "TERM"); }

 private:
  // Called by libssh, through which nothing may be thrown.
  void take_data(std::string_view bytes, bool is_error) noexcept {
    received_ += bytes.size();
    if (sink_failure_) return;
    try {
      pass_on(bytes, is_error);
    } catch (...) {
      sink_failure_ = std::current_exception();
    }
  }

  void pass_on(std::string_view bytes, bool is_error) {
    if (is_error) {
      const std::string own = feed_.filter_error(bytes);
      if (!own.empty()) sink_.output(Stream::err, own);
    } else {
      sink_.output(Stream::out, bytes);
    }
    last_output_ = Clock::now();  // after the sink: time it took is not the command's silence
  }

  Session& session_;
  InputFeed& feed_;
  OutputSink& sink_;
  ssh_channel channel_;
  ssh_channel_callbacks_struct callbacks_{};
  ssh_event event_ = nullptr;
  CommandOutcome outcome_;
  std::exception_ptr sink_failure_;
  bool eof_ = false, closed_ = false, input_closed_ = false;
  std::uint64_t received_ = 0;
  TimePoint last_output_ = Clock::now();
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

// Polls the session and the abort signal until `until`. True: the peer sent something.
bool wait_for_peer(const Session& session, const CancelSignal& abort, bool abort_seen, TimePoint until) {
  const auto left = std::chrono::ceil<milliseconds>(until - Clock::now()).count();
  std::array<pollfd, 2> set{{{.fd = session.fd(), .events = session.poll_events(), .revents = 0},
                             {.fd = abort_seen ? -1 : abort.fd(), .events = POLLIN, .revents = 0}}};
  ::poll(set.data(), set.size(), static_cast<int>(std::clamp<long>(left, 0, 3'600'000)));
  return (set[0].revents & POLLIN) != 0;
}

}  // namespace

CommandOutcome run_over_session(Session& session, const CommandRequest& request, OutputSink& sink,
                                const CancelSignal& abort) {
  InputFeed feed(request);
  RunClocks clocks(request.clocks);
  ExecChannel channel(session, feed, sink);
  const TimePoint start_deadline = Clock::now() + request.clocks.keepalive * request.clocks.keepalives;
  channel.start(request.command, {start_deadline, &abort});

  std::optional<TimePoint> ends_by;  // after its exit, or after our SIGTERM
  bool terminated = false;
  while (!channel.finished()) {
    channel.feed_input();
    if (feed.refused()) throw Error(Code::key, "sudo does not take the password");
    if (abort.raised() && !terminated) {
      terminated = true;
      channel.terminate();
      ends_by = Clock::now() + kTerminationGrace;
    }
    if (channel.has_exit() && !ends_by) ends_by = Clock::now() + kOutputGrace;
    if (ends_by && Clock::now() >= *ends_by) break;
    if (wait_for_peer(session, abort, terminated, clocks.next(channel.last_output(), ends_by))) clocks.heard();
    if (!channel.pump() && !channel.finished()) {
      if (channel.has_exit()) break;
      throw Error(Code::unreachable, "connection lost while the command ran: " + session.error_text("closed by peer"));
    }
    if (!channel.finished() && clocks.check(channel.last_output())) session.ask_for_life();
  }
  if (const std::string rest = feed.finish_error(); !rest.empty()) sink.output(Stream::err, rest);
  if (terminated) throw Error(Code::cancelled, "interrupted while the command ran; it was sent SIGTERM");
  if (!channel.has_exit()) throw Error(Code::unreachable, "connection closed before the command's exit status came");
  channel.outcome().output_cut = !channel.finished();
  return channel.outcome();
}

}  // namespace muster::ssh
