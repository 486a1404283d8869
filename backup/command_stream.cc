#include "backup/command_stream.h"

#include "base/error.h"

namespace muster::backup {
namespace {

constexpr std::size_t kQueueBytes = 4U << 20, kMaxMessages = 1000, kMaxMessageBytes = 8192;

}  // namespace

class CommandStream::Sink : public ssh::OutputSink {
 public:
  explicit Sink(CommandStream& owner) : owner_(owner) {}

  void output(ssh::Stream stream, std::string_view bytes) override {
    if (stream == ssh::Stream::err) return take_messages(bytes);
    if (!owner_.queue_.push(std::string(bytes), bytes.size()))
      throw base::Error(base::Code::cancelled, "nobody reads any more");
  }

  void finish() {
    if (!line_.empty()) keep_line();
  }

 private:
  void take_messages(std::string_view bytes) {
    for (const char c : bytes) {
      if (c == '\n')
        keep_line();
      else if (line_.size() < kMaxMessageBytes)
        line_ += c;
    }
  }
  void keep_line() {
    if (owner_.messages_.size() < kMaxMessages)
      owner_.messages_.push_back(line_);
    else
      ++owner_.dropped_;
    line_.clear();
  }

  CommandStream& owner_;
  std::string line_;
};

CommandStream::CommandStream(const base::Context& ctx, AreaHost& host, std::string command,
                             const ssh::InputSource* input)
    : outer_(ctx),
      forward_(ctx.stop, [this] { stop_.request_stop(); }),
      host_(host),
      command_(std::move(command)),
      input_(input),
      queue_(kQueueBytes),
      thread_([this] { run(); }) {}

CommandStream::~CommandStream() {
  queue_.abandon();
  stop_.request_stop();
}

void CommandStream::run() {
  try {
    Sink sink(*this);
    status_ = host_.run({.stop = stop_.get_token(), .events = outer_.events}, command_, input_, sink);
    sink.finish();
  } catch (...) {
    failure_ = std::current_exception();
  }
  ended_ = true;
  queue_.close();
}

base::ByteView CommandStream::next() {
  auto piece = queue_.pop();
  if (!piece) {
    if (failure_) std::rethrow_exception(failure_);
    return {};
  }
  piece_ = std::move(*piece);
  return base::as_bytes(piece_);
}

int CommandStream::finish() {
  while (!next().empty()) continue;
  return status_;
}

}  // namespace muster::backup
