#include "cli/remote_backup.h"

#include <algorithm>
#include <array>
#include <optional>
#include <thread>

#include <nlohmann/json.hpp>
#include <poll.h>
#include <unistd.h>

#include "backup/piped_storage.h"
#include "backup/restore_point.h"
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

// It says something every second.
constexpr seconds kSilence{120};
// For what it undoes.
constexpr seconds kUndoPatience{90};
// Beyond that of the connecting itself.
constexpr seconds kStartPatience{20};
constexpr unsigned kStorageThreads = 4;
constexpr std::size_t kMaxComplaint = 4096;

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
        pipe_(child_.standard_output().get(), child_.standard_input().get()),
        service_(storage, StorageService::Removal::own),
        requests_(kStorageThreads) {
    for (unsigned i = 0; i < kStorageThreads; ++i) servers_.emplace_back([this] { serve(); });
  }
  RemoteWorker(const RemoteWorker&) = delete;
  RemoteWorker& operator=(const RemoteWorker&) = delete;
  ~RemoteWorker() {
    requests_.abandon();
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
    const std::string version = head.is_object() ? head.value("muster", "") : "";
    if (version != kVersion)
      throw Error(Code::unsupported, "on " + place_.host + " muster is of version " +
                                         (version.empty() ? "nobody knows" : version) + ", and here of " + kVersion +
                                         ": they have to be the same");
  }

  void send(const json& head, base::ByteView body = {}) { pipe_.send(head.dump(), std::span(&body, 1), kSilence); }

  // The head of what it says at last.
  json last_word(backup::Progress& progress) {
    try {
      return listen(ctx_, kSilence, progress);
    } catch (const Error& e) {
      if (e.code() != Code::cancelled) throw;
    }
    try {
      send({{"cancel", true}});
      listen({.stop = {}, .events = ctx_.events}, kUndoPatience, progress);
    } catch (const Error& e) {
      if (e.code() != Code::cancelled) ctx_.warn(place_.host + ": what it had begun may not be undone: " + e.what());
    }
    throw Error(Code::cancelled, "interrupted");
  }

 private:
  json listen(const Context& ctx, milliseconds patience, backup::Progress& progress) {
    while (auto frame = pipe_.receive(ctx, patience)) {
      json head = json::parse(frame->head, nullptr, false);
      if (!head.is_object()) throw Error(Code::io, "what muster on " + place_.host + " says is not understood");
      if (head.contains("storage")) {
        requests_.push(std::move(*frame));
      } else if (head.contains("progress")) {
        take(head["progress"], progress);
        send({{"alive", true}});
      } else if (head.contains("note")) {
        ctx_.note(head.value("note", ""));
      } else if (head.contains("warning")) {
        ctx_.warn(head.value("warning", ""));
      } else if (head.contains("error")) {
        const Error there = error_from_json(head["error"]);
        throw Error(there.code(), std::string(there.what()) + ", on " + place_.host);
      } else {
        return head;
      }
    }
    throw Error(Code::unreachable, "the connection to " + place_.host + " is lost: " + why("it ended"));
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
    return said.empty() ? otherwise : said;
  }

  [[noreturn]] void throw_not_started() {
    // What the client itself could not do; a shell's status is that of what it could not start.
    constexpr int kClientFailed = 255;
    const auto status = child_.wait(seconds(2));
    if (status.code == kClientFailed)
      throw Error(Code::unreachable, "connect to " + place_.host + " over SSH: " + why("it ended"));
    throw Error(Code::unsupported,
                "muster does not start on " + place_.host + " (" + why("it ended") + "): install " + kVersion +
                    " there, say where it is with --remote-muster, or have it copied with --copy-muster");
  }

  const Context& ctx_;
  const SshPlace& place_;
  base::ChildProcess child_;
  Complaint complaint_;
  base::FramedPipe pipe_;
  StorageService service_;
  base::BoundedQueue<Frame> requests_;
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
  const auto id = backup::parse_object_id(made.value("point", ""), "the answer of " + host.place.host);
  // What holds is what the repository says.
  const auto listed = backup::get_point(ctx, repository, id);
  if (listed.state != backup::PointState::confirmed)
    throw Error(Code::io, "restore point " + backup::hex(id) + " of " + order.machine.name + " does not hold");
  return {.point = listed.point, .held = milliseconds(made.value("held_ms", std::int64_t{0}))};
}

}  // namespace muster::cli
