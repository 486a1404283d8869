#include "cli/remote_backup.h"

#include <algorithm>
#include <array>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>

#include <nlohmann/json.hpp>
#include <poll.h>
#include <unistd.h>

#include "backup/object_name.h"
#include "backup/object_names.h"
#include "backup/restore_point.h"
#include "backup/storage_service.h"
#include "base/bounded_queue.h"
#include "base/child_process.h"
#include "base/error.h"
#include "base/framed_pipe.h"
#include "cli/error_json.h"
#include "cli/version.h"

namespace muster::cli {
namespace {

using backup::StorageService;
using base::Code;
using base::Context;
using base::Error;
using base::Frame;
using nlohmann::json;
using std::chrono::milliseconds;
using std::chrono::seconds;

// It says something every second, or sends what it stores.
constexpr seconds kSilence{120};
// For what it undoes.
constexpr seconds kUndoPatience{90};
// Beyond that of the connecting itself.
constexpr seconds kStartPatience{20};
constexpr unsigned kStorageThreads = 4;
constexpr std::size_t kMaxComplaint = 4096;
// So that it hears something however long its own frames take.
constexpr seconds kAliveInterval{15};
// Heads are requests of a storage; bodies are objects, of which packs are of 32 MiB and index tables can be larger.
constexpr base::FramedPipe::Limits kLimits{.head_bytes = 256U << 10, .body_bytes = 512U << 20};
// Of objects that wait to be stored.
constexpr std::size_t kWaitingBytes = 128U << 20;

// What the client and the login shell over there say on standard error.
class Complaint {
 public:
  explicit Complaint(int fd) : thread_([this, fd](const std::stop_token& stop) { read(stop, fd); }) {}
  // Its last line.
  std::string last_line() const {
    const std::lock_guard lock(mutex_);
    std::string text = text_;
    while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
    return text.substr(text.rfind('\n') + 1);
  }

 private:
  void read(const std::stop_token& stop, int fd) {
    std::array<char, 4096> piece{};
    while (!stop.stop_requested()) {
      pollfd p{.fd = fd, .events = POLLIN, .revents = 0};
      if (::poll(&p, 1, 100) <= 0) continue;
      const ssize_t n = ::read(fd, piece.data(), piece.size());
      if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) return;
      if (n < 0) continue;
      const std::lock_guard lock(mutex_);
      text_.append(piece.data(), static_cast<std::size_t>(n));
      if (text_.size() > kMaxComplaint) text_.erase(0, text_.size() - kMaxComplaint);
    }
  }

  mutable std::mutex mutex_;
  std::string text_;
  std::jthread thread_;
};

std::vector<std::string> command_line(const RemoteHost& host) {
  std::vector<std::string> argv = host.place.argv;
  argv.push_back(host.command);
  return argv;
}

class RemoteWorker {
 public:
  RemoteWorker(const Context& ctx, backup::Storage& storage, const RemoteHost& host)
      : ctx_(ctx),
        place_(host.place),
        child_(command_line(host)),
        complaint_(child_.standard_error().get()),
        pipe_(child_.standard_output().get(), child_.standard_input().get(), kLimits),
        service_(storage, StorageService::Rights::backup),
        requests_(kWaitingBytes),
        alive_([this](const std::stop_token& stop) { say_alive(stop); }) {
    for (unsigned i = 0; i < kStorageThreads; ++i) servers_.emplace_back([this] { serve(); });
  }
  RemoteWorker(const RemoteWorker&) = delete;
  RemoteWorker& operator=(const RemoteWorker&) = delete;
  ~RemoteWorker() {
    requests_.abandon();
    pipe_.abandon();
    // Nobody may write there any more once the descriptor is closed: its number is another file's soon.
    servers_.clear();
    alive_ = {};
    child_.standard_input().reset();
    // It ends by itself at the end of its input.
    child_.wait(seconds(5));
  }

  void greet(milliseconds connect_patience) {
    std::optional<Frame> frame;
    try {
      frame = pipe_.receive(ctx_, connect_patience + kStartPatience);
    } catch (const Error& e) {
      if (e.code() == Code::cancelled) throw;
      throw Error(Code::unreachable, "connect to " + place_.host + " over SSH: " + why(e.what()));
    }
    if (!frame) throw_not_started();
    const json head = json::parse(frame->head, nullptr, false);
    const std::string version = head.is_object() && head.contains("muster") && head["muster"].is_string()
                                    ? head["muster"].get<std::string>()
                                    : "";
    if (version != kVersion)
      throw Error(Code::unsupported, "on " + place_.host + " muster is of version " +
                                         (version.empty() ? "nobody knows" : version) + ", and here of " + kVersion +
                                         ": they have to be the same");
  }

  void send(const json& head, base::ByteView body = {}) { pipe_.send(head.dump(), std::span(&body, 1), kSilence); }

  // The head of what it says at last.
  json last_word(backup::Progress& progress) {
    try {
      return listen(ctx_, base::TimePoint::max(), progress);
    } catch (const Error&) {
      if (!ctx_.stop.stop_requested()) throw;
    }
    try {
      send({{"cancel", true}});
      listen({.stop = {}, .events = ctx_.events}, base::Clock::now() + kUndoPatience, progress);
    } catch (const Error& e) {
      if (e.code() != Code::cancelled) ctx_.warn(place_.host + ": what it had begun may not be undone: " + e.what());
    }
    throw Error(Code::cancelled, "interrupted");
  }
  // Whether it put that point itself, just now.
  bool has_put(const backup::ObjectId& point) const {
    return service_.has_put(backup::object_name(backup::kPointsPrefix, point));
  }

 private:
  json listen(const Context& ctx, base::TimePoint deadline, backup::Progress& progress) {
    while (base::Clock::now() < deadline) {
      auto frame = pipe_.receive(ctx, kSilence);
      if (!frame) throw Error(Code::unreachable, "the connection to " + place_.host + " is lost: " + why("it ended"));
      try {
        if (auto last = take_frame(std::move(*frame), progress)) return *last;
      } catch (const json::exception&) {
        throw Error(Code::io, "what muster on " + place_.host + " says is not understood");
      }
    }
    throw Error(Code::timeout, place_.host + " takes too long to undo it");
  }

  // What it says at last; nullopt: that was not it.
  std::optional<json> take_frame(Frame frame, backup::Progress& progress) {
    json head = json::parse(frame.head);
    if (head.contains("storage")) {
      const std::size_t weight = frame.body.size() + 1;
      requests_.push(std::move(frame), weight);
    } else if (head.contains("progress")) {
      take(head["progress"], progress);
    } else if (head.contains("note")) {
      ctx_.note(head["note"].get<std::string>());
    } else if (head.contains("warning")) {
      ctx_.warn(head["warning"].get<std::string>());
    } else if (head.contains("error")) {
      const Error there = error_from_json(head["error"]);
      // Nobody here asked for an end: whatever ended it there went wrong.
      const Code code = there.code() == Code::cancelled && !ctx_.stop.stop_requested() ? Code::io : there.code();
      throw Error(code, std::string(there.what()) + ", on " + place_.host);
    } else {
      return head;
    }
    return std::nullopt;
  }

  void say_alive(const std::stop_token& stop) {
    std::mutex mutex;
    std::unique_lock lock(mutex);
    std::condition_variable_any wake;
    while (!wake.wait_for(lock, stop, kAliveInterval, [&] { return stop.stop_requested(); })) {
      try {
        send({{"alive", true}});
      } catch (const Error&) {
        return;  // whoever listens sees the end
      }
    }
  }

  static void take(const json& fields, backup::Progress& progress) {
    progress.total = fields.value("total", std::uint64_t{0});
    progress.done = fields.value("done", std::uint64_t{0});
    progress.new_bytes = fields.value("new_bytes", std::uint64_t{0});
  }

  void serve() {
    // What was begun for it is ended, whatever was interrupted: it waits for the answer.
    const Context ctx{.stop = {}, .events = ctx_.events};
    while (const auto request = requests_.pop()) {
      const Frame answer = service_.answer(ctx, *request);
      const base::ByteView body = answer.body;
      try {
        pipe_.send(answer.head, std::span(&body, 1), kSilence);
      } catch (const Error&) {
        return;  // whoever listens sees the end
      }
    }
  }

  std::string why(const std::string& otherwise) const {
    const std::string said = complaint_.last_line();
    return said.empty() ? otherwise : otherwise + " (" + said + ")";
  }

  [[noreturn]] void throw_not_started() {
    // What the client itself could not do; a shell's status is that of what it could not start.
    constexpr int kClientFailed = 255;
    const auto status = child_.wait(seconds(2));
    if (status.code == kClientFailed)
      throw Error(Code::unreachable, "connect to " + place_.host + " over SSH: " + why("it ended"));
    throw Error(Code::unsupported,
                "muster does not start on " + place_.host + ": " + why("it ended") + "; install " + kVersion +
                    " there, say where it is with --remote-muster, have it copied with --copy-muster, or "
                    "have the disks read through SSH with --tunnel");
  }

  const Context& ctx_;
  const SshPlace& place_;
  base::ChildProcess child_;
  Complaint complaint_;
  base::FramedPipe pipe_;
  StorageService service_;
  base::BoundedQueue<Frame> requests_;
  std::jthread alive_;
  std::vector<std::jthread> servers_;
};

}  // namespace

MachinePoint create_remote_point(const Context& ctx, const backup::Repository& repository, const RemoteHost& host,
                                 const RemoteOrder& order, backup::Progress& progress) {
  RemoteWorker worker(ctx, repository.storage(), host);
  worker.greet(order.connect_patience);
  worker.send({{"order", to_json(order)},
               {"where", repository.storage().where()},
               {"listing_lag_ms", repository.storage().listing_lag().count()}},
              backup::encode_credential(host.credential));
  const json made = worker.last_word(progress);
  const std::string text = made.contains("point") && made["point"].is_string() ? made["point"].get<std::string>() : "";
  const auto id = backup::parse_object_id(text, "the answer of " + host.place.host);
  // What holds is what the repository says; and that this very run made it.
  const auto listed = backup::get_point(ctx, repository, id);
  if (!worker.has_put(id) || listed.state != backup::PointState::confirmed || !listed.trusted ||
      listed.signer != host.credential.signer() || listed.point.name != order.machine.name)
    throw Error(Code::io, "restore point " + backup::hex(id) + ", which " + host.place.host + " names, is none of " +
                              order.machine.name + " that it just made");
  const bool told = made.contains("held_ms") && made["held_ms"].is_number_unsigned();
  return {.point = listed.point, .held = milliseconds(told ? made["held_ms"].get<std::int64_t>() : 0)};
}

}  // namespace muster::cli
