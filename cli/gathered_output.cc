#include <fmt/format.h>

#include "cli/run_output.h"
#include "cli/terminal_text.h"
#include "inventory/name_folding.h"
#include "parallel-ssh/output_groups.h"
#include "parallel-ssh/output_spool.h"

namespace muster::cli {
namespace {

using ssh::HostReport;
using ssh::OutputGroups;
using ssh::OutputSpool;
using ssh::Stream;

constexpr const char* kRule = "---------------\n";

std::string label_of(const HostReport& report) {
  if (report.state == ssh::HostState::ok) return "";
  if (report.status) return fmt::format("exit status {}", *report.status);
  if (!report.signal.empty()) return "SIG" + report.signal;
  return ssh::name_of(report.state);
}

class GatheredHost : public ssh::HostOutput {
 public:
  GatheredHost(OutputGroups& groups, const std::string& name, const std::string& spill_directory)
      : groups_(groups), name_(name), out_(spill_directory), err_(spill_directory) {}

  void output(Stream stream, std::string_view bytes) override { (stream == Stream::out ? out_ : err_).append(bytes); }

  void finished(const HostReport& report) override {
    // A host that was not reached has no output to compare; its reason is told on standard error.
    if (report.state == ssh::HostState::unreachable && out_.empty() && err_.empty()) return;
    groups_.add(name_, label_of(report), out_, err_);
  }

 private:
  OutputGroups& groups_;
  const std::string& name_;
  OutputSpool out_, err_;
};

class Gathered : public GatheredOutput {
 public:
  Gathered(Console& console, const HostNames& names, const std::string& spill_directory)
      : console_(console), names_(names), spill_directory_(spill_directory), groups_(spill_directory) {}

  std::unique_ptr<ssh::HostOutput> started(std::size_t host) override {
    return std::make_unique<GatheredHost>(groups_, names_[host], spill_directory_);
  }
  void skipped(const HostReport&) override {}

  void print() override {
    for (const auto& group : groups_.groups()) {
      std::string header = fmt::format("{} ({})", inventory::fold_names(group.hosts), group.hosts.size());
      if (!group.label.empty()) header += ": " + group.label;
      console_.out(kRule + header + "\n" + kRule);
      show(
          group.out, [&](std::string_view text) { console_.out(text); }, console_.output_is_terminal());
      show(
          group.err, [&](std::string_view text) { console_.err(text); }, console_.error_is_terminal());
    }
  }

 private:
  void show(const OutputGroups::Stored& stored, const std::function<void(std::string_view)>& write, bool terminal) {
    std::string held;
    char last = '\n';
    groups_.read(stored, [&](std::string_view piece) {
      last = piece.back();
      if (!terminal) return write(piece);
      held += piece;
      const std::size_t whole = utf8_boundary(held);
      write(visible(std::string_view(held).substr(0, whole)));
      held.erase(0, whole);
    });
    write(visible(held));
    if (last != '\n') write("\n");
  }

  Console& console_;
  const HostNames& names_;
  std::string spill_directory_;
  OutputGroups groups_;
};

}  // namespace

std::unique_ptr<GatheredOutput> gathered_output(Console& console, const HostNames& names,
                                                const std::string& spill_directory) {
  return std::make_unique<Gathered>(console, names, spill_directory);
}

}  // namespace muster::cli
