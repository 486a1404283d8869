#include "cli/hypervisor_workers.h"

#include <array>
#include <condition_variable>
#include <cstdint>
#include <optional>
#include <set>
#include <thread>

#include <nlohmann/json.hpp>
#include <poll.h>
#include <unistd.h>

#include "base/child_process.h"
#include "base/error.h"
#include "base/quantity.h"
#include "cli/error_json.h"

namespace muster::cli {
namespace {

using base::Clock;
using base::Code;
using base::Error;
using nlohmann::json;

constexpr std::size_t kMaxLineBytes = 64U << 20;
constexpr std::size_t kMaxNotes = 10'000;
constexpr std::chrono::milliseconds kTick{100};
// How long an operation that was told to stop may take to undo what it began.
constexpr std::chrono::seconds kUndoPatience{30};

// One call that waits for its answer.
struct Pending {
  HypervisorWorkers::Progress progress;
  std::optional<json> result;
  std::optional<Error> error;
  bool done() const { return result || error; }
};

}  // namespace

std::string sibling_program(const std::string& name) {
  std::array<char, 4096> self{};
  const ssize_t length = ::readlink("/proc/self/exe", self.data(), self.size() - 1);
  const std::string path(self.data(), static_cast<std::size_t>(std::max<ssize_t>(length, 0)));
  return path.substr(0, path.rfind('/') + 1) + name;
}

std::string worker_program() { return sibling_program("muster-hypervisor-worker"); }

class HypervisorWorkers::Worker {
 public:
  Worker(const base::Context& ctx, const std::string& uri, std::chrono::milliseconds connect_patience,
         std::chrono::milliseconds end_patience)
      : ctx_(ctx),
        uri_(uri),
        child_({worker_program(), uri}),
        connect_patience_(connect_patience),
        end_patience_(end_patience),
        connect_deadline_(Clock::now() + connect_patience),
        reader_([this](const std::stop_token& stop) { read(stop); }) {}
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;
  ~Worker() {
    child_.standard_input().reset();  // asks it to end
    child_.wait(hangs_ ? std::chrono::milliseconds(0) : end_patience_);
    reader_.request_stop();
  }

  json call(const std::string& operation, const json& arguments, Patience patience, const Progress& progress) {
    Pending pending{.progress = progress, .result = {}, .error = {}};
    std::unique_lock lock(mutex_);
    wait_until_connected(lock);
    const std::uint64_t id = ++last_id_;
    calls_[id] = &pending;
    const Registration registration{*this, id, lock};
    send(lock, {{"id", id}, {"operation", operation}, {"arguments", arguments}});
    const auto deadline = patience ? Clock::now() + *patience : base::TimePoint::max();
    const auto done = [&] { return pending.done() || lost_; };
    if (!wait(lock, deadline, done)) {
      const bool cancelled = ctx_.stop.stop_requested();
      send(lock, {{"cancel", id}});
      hangs_ = !changed_.wait_until(lock, Clock::now() + kUndoPatience, done);
      if (cancelled && !pending.result) throw Error(Code::cancelled, "interrupted");
      if (!pending.done() || (pending.error && pending.error->code() == Code::cancelled))
        throw Error(Code::timeout, "no answer within " + base::format_duration(*patience) + " from " + uri_);
    }
    if (pending.error) throw *pending.error;
    if (!pending.result) throw *lost_;
    return std::move(*pending.result);
  }

 private:
  // Takes a call from the list, once nobody tells its progress any more.
  struct Registration {
    Worker& worker;
    std::uint64_t id;
    std::unique_lock<std::mutex>& lock;
    ~Registration() {
      if (lock.owns_lock()) lock.unlock();
      const std::lock_guard told(worker.telling_);
      lock.lock();
      worker.calls_.erase(id);
    }
  };

  // False at the deadline or once a stop was requested.
  template <typename Condition>
  bool wait(std::unique_lock<std::mutex>& lock, base::TimePoint deadline, const Condition& condition) {
    const auto happened = [&] { return condition(); };
    if (deadline == base::TimePoint::max()) return changed_.wait(lock, ctx_.stop, happened);
    return changed_.wait_until(lock, ctx_.stop, deadline, happened);
  }

  void wait_until_connected(std::unique_lock<std::mutex>& lock) {
    const bool answered = wait(lock, connect_deadline_, [&] { return connected_ || lost_; });
    hangs_ = !answered;
    if (ctx_.stop.stop_requested()) throw Error(Code::cancelled, "interrupted connecting to " + uri_);
    if (!answered)
      throw Error(Code::unreachable,
                  "connect to " + uri_ + ": no answer within " + base::format_duration(connect_patience_));
    if (lost_) throw *lost_;
  }

  void send(const std::unique_lock<std::mutex>&, const json& line) {
    if (lost_) return;
    try {
      base::write_all(child_.standard_input().get(), line.dump(-1, ' ', true, json::error_handler_t::replace) + "\n");
    } catch (const Error& e) {
      lost_.emplace(Code::unreachable, "the worker of " + uri_ + " is gone: " + e.what());
    }
  }

  void read(const std::stop_token& stop) {
    std::string out, err;
    while (!stop.stop_requested()) {
      std::array<pollfd, 2> set{{{.fd = child_.standard_output().get(), .events = POLLIN, .revents = 0},
                                 {.fd = child_.standard_error().get(), .events = POLLIN, .revents = 0}}};
      if (::poll(set.data(), set.size(), static_cast<int>(kTick.count())) <= 0) continue;
      if (set[1].revents != 0 && !take(set[1].fd, err)) child_.standard_error().reset();
      each_line(err, [&](const std::string& line) { ctx_.warn(uri_ + ": " + line); });
      if (set[0].revents == 0) continue;
      const bool more = take(set[0].fd, out);
      each_line(out, [&](const std::string& line) { receive(line); });
      if (!more || out.size() > kMaxLineBytes) break;
    }
    const std::lock_guard lock(mutex_);
    if (!lost_) lost_.emplace(Code::unreachable, "the worker of " + uri_ + " ended unexpectedly");
    changed_.notify_all();
  }

  // False at the end of the stream.
  static bool take(int fd, std::string& held) {
    std::array<char, 65536> piece{};
    const ssize_t n = ::read(fd, piece.data(), piece.size());
    if (n < 0) return errno == EAGAIN || errno == EINTR;
    held.append(piece.data(), static_cast<std::size_t>(n));
    return n > 0;
  }

  template <typename Use>
  static void each_line(std::string& held, const Use& use) {
    std::size_t from = 0;
    for (std::size_t end = held.find('\n'); end != std::string::npos; end = held.find('\n', from)) {
      use(held.substr(from, end - from));
      from = end + 1;
    }
    held.erase(0, from);
  }

  // Once each: what is to be said of a hypervisor comes with each of its machines.
  void say(base::Severity severity, const std::string& text) {
    if (noted_.size() < kMaxNotes && !noted_.insert(text).second) return;
    ctx_.events->message(severity, text);
  }

  void receive(const std::string& text) {
    const json line = json::parse(text, nullptr, false);
    if (!line.is_object()) return;
    if (line.contains("note") && line["note"].is_string())
      return say(base::Severity::note, line["note"].get<std::string>());
    if (line.contains("warning") && line["warning"].is_string())
      return say(base::Severity::warning, line["warning"].get<std::string>());
    if (!line.contains("id")) return receive_greeting(line);
    // Held while progress is told, which what waits for the call must outlive.
    const std::lock_guard telling(telling_);
    std::unique_lock lock(mutex_);
    const auto found = calls_.find(line["id"].get<std::uint64_t>());
    if (found == calls_.end()) return;
    Pending& call = *found->second;
    if (line.contains("progress")) {
      lock.unlock();
      if (call.progress) call.progress(line["progress"]);
      return;
    }
    if (line.contains("result")) call.result = line["result"];
    if (line.contains("error")) call.error.emplace(error_from_json(line["error"]));
    changed_.notify_all();
  }

  void receive_greeting(const json& line) {
    const std::lock_guard lock(mutex_);
    connected_ = line.contains("connected");
    if (line.contains("error")) lost_.emplace(error_from_json(line["error"]));
    changed_.notify_all();
  }

  const base::Context& ctx_;
  std::string uri_;
  base::ChildProcess child_;
  std::chrono::milliseconds connect_patience_, end_patience_;
  base::TimePoint connect_deadline_;
  std::mutex telling_;  // before mutex_
  std::mutex mutex_;
  std::condition_variable_any changed_;
  bool connected_ = false;
  bool hangs_ = false;  // it was given up on, and will not end by itself
  std::optional<Error> lost_;
  std::uint64_t last_id_ = 0;
  std::map<std::uint64_t, Pending*> calls_;
  std::set<std::string> noted_;  // the reader's
  std::jthread reader_;          // last: it uses all of the above
};

HypervisorWorkers::HypervisorWorkers(const base::Context& ctx, std::chrono::milliseconds connect_patience,
                                     std::chrono::milliseconds end_patience)
    : ctx_(ctx), connect_patience_(connect_patience), end_patience_(end_patience) {}

HypervisorWorkers::~HypervisorWorkers() = default;

HypervisorWorkers::Worker& HypervisorWorkers::worker(const std::string& uri) {
  const std::lock_guard lock(mutex_);
  auto& entry = workers_[uri];
  if (!entry) entry = std::make_unique<Worker>(ctx_, uri, connect_patience_, end_patience_);
  return *entry;
}

json HypervisorWorkers::call(const std::string& uri, const std::string& operation, const json& arguments,
                             Patience patience, const Progress& progress) {
  return worker(uri).call(operation, arguments, patience, progress);
}

}  // namespace muster::cli
