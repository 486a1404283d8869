#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "base/child_process.h"
#include "base/digest.h"
#include "base/error.h"
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

constexpr std::chrono::seconds kDiffPatience{60};
constexpr const char* kRule = "---------------\n";

std::string label_of(const HostReport& report) {
  if (report.state == ssh::HostState::ok) return "";
  if (report.status) return fmt::format("exit status {}", *report.status);
  if (!report.signal.empty()) return "SIG" + visible(report.signal);
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

  void print(Form form) override {
    const auto groups = groups_.groups();
    for (const auto& group : groups) {
      std::string header = fmt::format("{} ({})", inventory::fold_names(group.hosts), group.hosts.size());
      if (!group.label.empty()) header += ": " + group.label;
      console_.out(kRule + header + "\n" + kRule);
      const auto out = [&](std::string_view text) { console_.out(text); };
      const auto err = [&](std::string_view text) { console_.err(text); };
      if (form == Form::differences && &group != &groups.front()) {
        const OutputSpool difference = difference_of(groups.front(), group);
        show([&](const Write& take) { difference.read(take); }, out, console_.escapes_output());
      } else {
        show([&](const Write& take) { groups_.read(group.out, take); }, out, console_.escapes_output());
      }
      show([&](const Write& take) { groups_.read(group.err, take); }, err, console_.escapes_error());
    }
  }

 private:
  using Write = std::function<void(std::string_view)>;

  // A copy with a name, for diff.
  class NamedCopy {
   public:
    NamedCopy(const OutputGroups& groups, const OutputGroups::Stored& stored, const std::string& directory)
        : path_(directory + "/muster-diff-" + base::hex(base::random_bytes(8))) {
      const base::UniqueFd file(::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
      if (!file) base::throw_errno("create " + path_);
      groups.read(stored, [&](std::string_view piece) { base::write_all(file.get(), piece); });
    }
    NamedCopy(const NamedCopy&) = delete;
    NamedCopy& operator=(const NamedCopy&) = delete;
    ~NamedCopy() { ::unlink(path_.c_str()); }
    const std::string& path() const { return path_; }

   private:
    std::string path_;
  };

  OutputSpool difference_of(const OutputGroups::Group& first, const OutputGroups::Group& other) const {
    const NamedCopy before(groups_, first.out, spill_directory_), after(groups_, other.out, spill_directory_);
    base::ChildProcess diff({"diff", "-a", "-u", "--label", inventory::fold_names(first.hosts), "--label",
                             inventory::fold_names(other.hosts), "--", before.path(), after.path()});
    diff.standard_input().reset();
    OutputSpool text(spill_directory_);
    base::read_pieces(diff.standard_output().get(), kDiffPatience, [&](std::string_view piece) { text.append(piece); });
    if (const auto ended = diff.wait(kDiffPatience); ended.code != 0 && ended.code != 1)
      throw base::Error(base::Code::io, "diff: " + base::read_to_end(diff.standard_error().get(), kDiffPatience));
    return text;
  }

  static void show(const std::function<void(const Write&)>& read, const Write& write, bool terminal) {
    CodePointStream text;
    char last = '\n';
    read([&](std::string_view piece) {
      last = piece.back();
      terminal ? write(visible(text.add(piece))) : write(piece);
    });
    write(visible(text.finish()));
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
