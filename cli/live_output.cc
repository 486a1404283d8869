#include <fmt/format.h>

#include "cli/run_output.h"
#include "cli/terminal_text.h"
#include "parallel-ssh/line_assembler.h"

namespace muster::cli {
namespace {

using ssh::HostReport;
using ssh::OutputSpool;
using ssh::Stream;

class LiveHost : public ssh::HostOutput {
 public:
  LiveHost(Console& console, std::string label, const std::string& spill_directory)
      : console_(console), label_(std::move(label)), out_(spill_directory), err_(spill_directory) {}

  // The lines that one piece completes are written together: one system call for a packet, not for a line.
  void output(Stream stream, std::string_view bytes) override {
    std::string batch;
    assembler(stream).append(bytes, [&](const OutputSpool& head, std::string_view tail) {
      if (head.size_bytes() <= OutputSpool::kMemoryBytes) {
        add_line(batch, stream, head, tail);
      } else {
        write(stream, std::exchange(batch, {}));
        write_long_line(stream, head, tail);
      }
    });
    write(stream, batch);
  }

  void finished(const HostReport&) override {
    for (const Stream stream : {Stream::out, Stream::err})
      assembler(stream).finish(
          [&](const OutputSpool& head, std::string_view tail) { write_long_line(stream, head, tail); });
  }

 private:
  ssh::LineAssembler& assembler(Stream stream) { return stream == Stream::out ? out_ : err_; }

  bool escaped_on(Stream stream) const {
    return stream == Stream::out ? console_.escapes_output() : console_.escapes_error();
  }

  void add_line(std::string& batch, Stream stream, const OutputSpool& head, std::string_view tail) const {
    std::string joined;
    if (!head.empty()) {
      head.read([&](std::string_view piece) { joined += piece; });
      joined += tail;
      tail = joined;
    }
    batch += label_;
    if (!escaped_on(stream)) {
      batch += tail;
    } else {
      // A carriage return at the end of a line is how some systems end lines, not an attempt to overwrite one.
      if (tail.ends_with('\r')) tail.remove_suffix(1);
      batch += visible(tail);
    }
    batch += '\n';
  }

  void write(Stream stream, std::string_view text) {
    if (text.empty()) return;
    stream == Stream::out ? console_.out(text) : console_.err(text);
  }

  // A line too long for memory goes out in pieces, in one go.
  void write_long_line(Stream stream, const OutputSpool& head, std::string_view tail) {
    const bool terminal = escaped_on(stream);
    const Console::Pieces pieces = [&](const std::function<void(std::string_view)>& put) {
      CodePointStream text;
      const auto show = [&](std::string_view piece) { terminal ? put(visible(text.add(piece))) : put(piece); };
      put(label_);
      head.read(show);
      show(tail);
      put(visible(text.finish()) + "\n");
    };
    stream == Stream::out ? console_.out_in_pieces(pieces) : console_.err_in_pieces(pieces);
  }

  Console& console_;
  std::string label_;
  ssh::LineAssembler out_, err_;
};

class LiveOutput : public ssh::RunObserver {
 public:
  LiveOutput(Console& console, const HostNames& names, Labels labels, std::string spill_directory)
      : console_(console), names_(names), labels_(labels), spill_directory_(std::move(spill_directory)) {}

  std::unique_ptr<ssh::HostOutput> started(std::size_t host) override {
    const std::string label = labels_ == Labels::shown ? names_[host] + ": " : std::string();
    return std::make_unique<LiveHost>(console_, label, spill_directory_);
  }
  void skipped(const HostReport&) override {}

 private:
  Console& console_;
  const HostNames& names_;
  Labels labels_;
  std::string spill_directory_;
};

class AllOf : public ssh::RunObserver {
 public:
  explicit AllOf(std::vector<ssh::RunObserver*> observers) : observers_(std::move(observers)) {}

  std::unique_ptr<ssh::HostOutput> started(std::size_t host) override {
    auto outputs = std::make_unique<Outputs>();
    for (auto* observer : observers_) outputs->all.push_back(observer->started(host));
    return outputs;
  }
  void skipped(const HostReport& report) override {
    for (auto* observer : observers_) observer->skipped(report);
  }

 private:
  struct Outputs : ssh::HostOutput {
    std::vector<std::unique_ptr<ssh::HostOutput>> all;
    void output(Stream stream, std::string_view bytes) override {
      for (auto& output : all) output->output(stream, bytes);
    }
    void finished(const HostReport& report) override {
      for (auto& output : all) output->finished(report);
    }
  };
  std::vector<ssh::RunObserver*> observers_;
};

}  // namespace

std::unique_ptr<ssh::RunObserver> live_output(Console& console, const HostNames& names, Labels labels,
                                              const std::string& spill_directory) {
  return std::make_unique<LiveOutput>(console, names, labels, spill_directory);
}

std::unique_ptr<ssh::RunObserver> all_of(std::vector<ssh::RunObserver*> observers) {
  return std::make_unique<AllOf>(std::move(observers));
}

}  // namespace muster::cli
