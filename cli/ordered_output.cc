#include <map>
#include <mutex>

#include "cli/run_output.h"
#include "parallel-ssh/output_spool.h"
#include "parallel-ssh/output_store.h"

namespace muster::cli {
namespace {

using ssh::HostReport;
using ssh::OutputSpool;
using ssh::OutputStore;
using ssh::Stream;

class OrderedOutput : public ssh::RunObserver {
 public:
  OrderedOutput(Console& console, const HostNames& names, Labels labels, const std::string& spill_directory)
      : lines_(live_output(console, names, labels, spill_directory)),
        spill_directory_(spill_directory),
        store_(spill_directory) {}

  std::unique_ptr<ssh::HostOutput> started(std::size_t) override {
    return std::make_unique<Host>(*this, spill_directory_);
  }
  void skipped(const HostReport& report) override { finished(report, nullptr, nullptr); }

 private:
  class Host : public ssh::HostOutput {
   public:
    Host(OrderedOutput& run, const std::string& directory) : run_(run), out_(directory), err_(directory) {}
    void output(Stream stream, std::string_view bytes) override { (stream == Stream::out ? out_ : err_).append(bytes); }
    void finished(const HostReport& report) override { run_.finished(report, &out_, &err_); }

   private:
    OrderedOutput& run_;
    OutputSpool out_, err_;
  };

  struct Waiting {
    HostReport report;
    OutputStore::Stored out, err;
  };

  void finished(const HostReport& report, const OutputSpool* out, const OutputSpool* err) {
    const std::lock_guard lock(mutex_);
    if (report.host < next_ || waiting_.contains(report.host)) return;
    if (report.host != next_) {
      // Known only once it is kept: on a full disk it is told of again, without output.
      Waiting kept{report, {}, {}};
      if (out != nullptr) kept.out = store_.keep(*out);
      if (err != nullptr) kept.err = store_.keep(*err);
      waiting_.emplace(report.host, std::move(kept));
      return;
    }
    ++next_;
    show(
        report,
        [&](const Take& take) {
          if (out != nullptr) out->read(take);
        },
        [&](const Take& take) {
          if (err != nullptr) err->read(take);
        });
    for (auto turn = waiting_.find(next_); turn != waiting_.end(); turn = waiting_.find(next_)) {
      const Waiting kept = std::move(turn->second);
      waiting_.erase(turn);
      ++next_;
      show(
          kept.report, [&](const Take& take) { store_.read(kept.out, take); },
          [&](const Take& take) { store_.read(kept.err, take); });
    }
  }

  using Take = std::function<void(std::string_view)>;
  using Read = std::function<void(const Take&)>;

  void show(const HostReport& report, const Read& out, const Read& err) {
    const auto host = lines_->started(report.host);
    out([&](std::string_view piece) { host->output(Stream::out, piece); });
    err([&](std::string_view piece) { host->output(Stream::err, piece); });
    host->finished(report);
  }

  std::unique_ptr<ssh::RunObserver> lines_;
  std::string spill_directory_;
  std::mutex mutex_;
  OutputStore store_;
  std::map<std::size_t, Waiting> waiting_;
  std::size_t next_ = 0;
};

}  // namespace

std::unique_ptr<ssh::RunObserver> ordered_output(Console& console, const HostNames& names, Labels labels,
                                                 const std::string& spill_directory) {
  return std::make_unique<OrderedOutput>(console, names, labels, spill_directory);
}

}  // namespace muster::cli
