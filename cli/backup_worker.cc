// muster-backup-worker: backs a machine up where its disks are, for a muster on another host, which has the repository
// (remote_backup.h has the protocol). Ends when its standard input does: what it began is undone.
#include <condition_variable>
#include <mutex>
#include <thread>

#include <fcntl.h>
#include <nlohmann/json.hpp>
#include <signal.h>
#include <unistd.h>

#include "backup/piped_storage.h"
#include "base/error.h"
#include "base/framed_pipe.h"
#include "base/unique_fd.h"
#include "cli/error_json.h"
#include "cli/hypervisor_workers.h"
#include "cli/machine_order_json.h"
#include "cli/version.h"

namespace muster::cli {
namespace {

using base::Code;
using base::Error;
using base::Frame;
using nlohmann::json;
using std::chrono::seconds;

// Whoever asked says something every 15 seconds. A store that is slow holds up what is sent to it.
constexpr seconds kSilence{120}, kSendPatience{600};
constexpr seconds kInterval{1};
constexpr seconds kEndPatience{40};

// Frames on what were standard input and output; whatever else is written goes to standard error.
class Line {
 public:
  Line() : in_(keep(STDIN_FILENO)), out_(keep(STDOUT_FILENO)), pipe_(in_.get(), out_.get()) {
    const base::UniqueFd nothing(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    if (::dup2(nothing.get(), STDIN_FILENO) < 0 || ::dup2(STDERR_FILENO, STDOUT_FILENO) < 0)
      base::throw_errno("set standard streams aside");
  }

  void send(const json& head) { send(head.dump(-1, ' ', true, json::error_handler_t::replace), {}); }
  void send(std::string_view head, std::span<const base::ByteView> body) { pipe_.send(head, body, kSendPatience); }
  std::optional<Frame> receive(const base::Context& ctx) { return pipe_.receive(ctx, kSilence); }

 private:
  static base::UniqueFd keep(int fd) {
    base::UniqueFd kept(::fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
    if (!kept) base::throw_errno("set standard streams aside");
    return kept;
  }

  base::UniqueFd in_, out_;
  base::FramedPipe pipe_;
};

class LineEvents : public base::EventSink {
 public:
  explicit LineEvents(Line& line) : line_(line) {}
  void message(base::Severity severity, const std::string& text) override {
    try {
      line_.send({{severity == base::Severity::warning ? "warning" : "note", text}});
    } catch (const Error&) {
      // Nobody is there to be told; the end of the line ends the work.
    }
  }

 private:
  Line& line_;
};

// Takes answers, and sees that whoever asked is gone or wants no more: then all is to end.
class Listener {
 public:
  Listener(Line& line, backup::PipedStorage& storage, std::stop_source& work)
      : thread_([&](const std::stop_token& stop) { listen({.stop = stop}, line, storage, work); }) {}

 private:
  static void listen(const base::Context& ctx, Line& line, backup::PipedStorage& storage, std::stop_source& work) {
    try {
      while (auto frame = line.receive(ctx)) {
        const json head = json::parse(frame->head, nullptr, false);
        if (head.is_object() && head.contains("answer"))
          storage.answer(std::move(*frame));
        else if (head.is_object() && head.contains("cancel"))
          work.request_stop();
      }
      storage.lose(Error(Code::unreachable, "whoever asked for this backup is gone"));
    } catch (const Error& e) {
      storage.lose(e);
    }
    work.request_stop();
  }

  std::jthread thread_;
};

// Tells how far the work is, again and again.
class Reporter {
 public:
  Reporter(Line& line, const backup::Progress& progress)
      : thread_([&](const std::stop_token& stop) { report(stop, line, progress); }) {}

 private:
  void report(const std::stop_token& stop, Line& line, const backup::Progress& progress) {
    std::unique_lock lock(mutex_);
    while (!wake_.wait_for(lock, stop, kInterval, [&] { return stop.stop_requested(); })) {
      const json fields{
          {"total", progress.total.load()}, {"done", progress.done.load()}, {"new_bytes", progress.new_bytes.load()}};
      try {
        line.send({{"progress", fields}});
      } catch (const Error&) {
        return;
      }
    }
  }

  std::mutex mutex_;
  std::condition_variable_any wake_;
  std::jthread thread_;
};

Frame await_order(Line& line) {
  auto frame = line.receive({});
  if (!frame) throw Error(Code::cancelled, "nothing was asked for");
  return std::move(*frame);
}

std::vector<backup::RestorePoint> points_of(const base::Context& ctx, const backup::Repository& repository,
                                            const RemoteOrder& order) {
  std::vector<backup::RestorePoint> points;
  for (const auto& id : order.history) {
    try {
      points.push_back(backup::get_point(ctx, repository, id).point);
    } catch (const Error& e) {
      // Forgotten meanwhile, or damaged: it is done without.
      if (e.code() != Code::not_found && e.code() != Code::corrupt) throw;
    }
  }
  return points;
}

json back_up(const base::Context& ctx, const std::shared_ptr<backup::PipedStorage>& storage, const json& head,
             base::ByteView credential, backup::Progress& progress) {
  const RemoteOrder order = remote_order(head.at("order"));
  const backup::Repository repository(storage, backup::read_config(ctx, *storage),
                                      backup::decode_credential(credential));
  HypervisorWorkers workers(ctx, order.connect_patience, kEndPatience);
  const auto sources = machine_sources(ctx, workers, repository, order.options);
  backup::RateLimit rate(order.machine.options.bytes_per_second);
  const auto made = create_machine_point(sources, order.machine, points_of(ctx, repository, order), &rate, progress);
  return {{"point", backup::hex(made.point.id)}, {"held_ms", made.held.count()}};
}

int work(Line& line) {
  line.send({{"muster", kVersion}});
  const Frame asked = await_order(line);
  const json head = json::parse(asked.head);
  const auto storage = std::make_shared<backup::PipedStorage>(
      [&](auto request, auto body) { line.send(request, body); }, head.at("where").get<std::string>(),
      std::chrono::milliseconds(head.at("listing_lag_ms").get<std::int64_t>()));
  LineEvents events(line);
  std::stop_source stop;
  const base::Context ctx{.stop = stop.get_token(), .events = &events};
  const Listener listener(line, *storage, stop);
  json last;
  {
    backup::Progress progress;
    const Reporter reporter(line, progress);
    try {
      last = back_up(ctx, storage, head, asked.body, progress);
    } catch (const Error& e) {
      last = {{"error", to_json(e)}};
    } catch (const std::exception& e) {
      last = {{"error", to_json(Error(Code::io, std::string("internal error: ") + e.what()))}};
    }
  }
  line.send(last);
  return 0;
}

}  // namespace
}  // namespace muster::cli

int main(int argc, char**) {
  ::signal(SIGPIPE, SIG_IGN);
  if (argc != 1 || ::isatty(STDIN_FILENO) != 0) {
    muster::base::write_all(STDERR_FILENO, "muster-backup-worker: started by muster backup create of another host\n");
    return 2;
  }
  try {
    muster::cli::Line line;
    return muster::cli::work(line);
  } catch (const std::exception&) {
    return 1;  // whoever asked is gone
  }
}
