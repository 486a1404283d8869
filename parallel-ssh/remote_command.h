// What it means to run one command on one host, whatever carries it: the request, the sink its output goes to, the
// outcome. Carriers: run_over_session (libssh) here, run_over_openssh in openssh_client.h.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "parallel-ssh/cancel.h"
#include "parallel-ssh/sudo_dialog.h"

namespace muster::ssh {

class InputSource;
class Session;

enum class Stream : std::uint8_t { out, err };

// Takes a command's output as it comes, from the thread at work on the host. May block: that is the back-pressure.
class OutputSink {
 public:
  virtual ~OutputSink() = default;
  virtual void output(Stream stream, std::string_view bytes) = 0;
};

struct CommandClocks {
  std::optional<std::chrono::milliseconds> total;  // from the command's start to its end
  std::optional<std::chrono::milliseconds> idle;   // between two pieces of output
  std::chrono::milliseconds keepalive{15'000};     // silence of the peer before it is asked for a sign of life
  int keepalives = 3;                              // unanswered ones before it counts as dead
};

struct CommandRequest {
  std::string command;                 // one string for the login shell
  const InputSource* input = nullptr;  // for its standard input; nullptr: that is empty
  std::optional<SudoSecret> sudo;
  CommandClocks clocks;
};

struct CommandOutcome {
  std::optional<int> status;  // exit status, if the command came to that
  std::string signal;         // `TERM` etc., if a signal ended it
  bool output_cut = false;    // it ended, but something it left behind keeps its output open
};

// Runs the command and waits for its end. A command that has not ended when this gives up is sent SIGTERM. Throws
// base::Error{timeout} (total or idle), {unreachable} when the connection is lost or the peer is silent, {cancelled},
// {refused} when sudo does not take the password, {unsupported} when the server refuses to run commands, and what
// `sink` throws.
CommandOutcome run_over_session(Session& session, const CommandRequest& request, OutputSink& sink,
                                const CancelSignal& abort);

}  // namespace muster::ssh
