// muster-hypervisor-worker URI: uses one hypervisor for another program of muster (hypervisor_workers.h has the
// protocol). Ends when its standard input does: operations under way are told to stop, and given a while to undo what
// they began.
//
// muster-hypervisor-worker --console URI DOMAIN if-free|take-over: its standard input and output are the domain's
// console, as soon as `{"connected":true}` or `{"error":{...}}` came on standard error.
#include <atomic>
#include <condition_variable>
#include <iostream>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include <nlohmann/json.hpp>
#include <signal.h>
#include <unistd.h>

#include "base/error.h"
#include "base/unique_fd.h"
#include "cli/error_json.h"
#include "cli/guest_watchdog.h"
#include "cli/job_watchdog.h"
#include "cli/size_text.h"
#include "cli/worker_operations.h"
#include "virt/connection.h"
#include "virt/console.h"
#include "vm/tombstone.h"

namespace muster::cli {
namespace {

using base::Code;
using base::Error;
using nlohmann::json;

constexpr std::chrono::seconds kUndoPatience{30};

class Replies {
 public:
  void send(const json& line) {
    const std::lock_guard lock(mutex_);
    try {
      base::write_all(STDOUT_FILENO, line.dump(-1, ' ', true, json::error_handler_t::replace) + "\n");
    } catch (const Error&) {
      // Whoever asked is gone; the end of standard input tells the main thread.
    }
  }

 private:
  std::mutex mutex_;
};

// Notes of an operation go to whoever asked for it.
class ReplyEvents : public base::EventSink {
 public:
  ReplyEvents(Replies& replies, std::uint64_t id) : replies_(replies), id_(id) {}
  void message(base::Severity severity, const std::string& text) override {
    replies_.send({{"id", id_}, {severity == base::Severity::warning ? "warning" : "note", text}});
  }

 private:
  Replies& replies_;
  std::uint64_t id_;
};

class Calls {
 public:
  Calls(virt::Connection connection, Replies& replies)
      : connection_(std::make_shared<const virt::Connection>(std::move(connection))), replies_(replies) {}

  void start(const json& request) {
    const auto id = request.at("id").get<std::uint64_t>();
    const std::lock_guard lock(mutex_);
    std::stop_source& stop = running_[id];
    // Detached: a call into libvirt may never return, and must not keep the process from ending.
    std::thread([this, request, id, token = stop.get_token()] {
      run(request, id, token);
      const std::lock_guard done(mutex_);
      running_.erase(id);
      changed_.notify_all();
    }).detach();
  }

  void cancel(std::uint64_t id) {
    const std::lock_guard lock(mutex_);
    if (const auto call = running_.find(id); call != running_.end()) call->second.request_stop();
  }

  void cancel_all_and_wait() {
    std::unique_lock lock(mutex_);
    for (auto& [id, stop] : running_) stop.request_stop();
    changed_.wait_for(lock, kUndoPatience, [&] { return running_.empty(); });
  }

 private:
  void run(const json& request, std::uint64_t id, const std::stop_token& stop) {
    ReplyEvents events(replies_, id);
    const base::Context ctx{.stop = stop, .events = &events};
    try {
      const auto name = request.at("operation").get<std::string>();
      const WorkerOperation* operation = find_operation(name);
      if (operation == nullptr) throw Error(Code::unsupported, "no operation '" + name + "' in this version");
      const auto progress = [&](const json& fields) { replies_.send({{"id", id}, {"progress", fields}}); };
      const json arguments = request.value("arguments", json::object());
      const auto connection = living_connection();
      replies_.send({{"id", id}, {"result", operation->run({ctx, *connection, arguments, progress})}});
    } catch (const Error& e) {
      replies_.send({{"id", id}, {"error", to_json(e.code() == Code::no_space ? with_trash(e) : e)}});
    } catch (const std::exception& e) {
      replies_.send({{"id", id}, {"error", to_json(Error(Code::io, std::string("internal error: ") + e.what()))}});
    }
  }

  // The daemon may have been restarted since the last call.
  std::shared_ptr<const virt::Connection> living_connection() {
    const std::lock_guard lock(connection_mutex_);
    if (!connection_->alive()) connection_ = std::make_shared<const virt::Connection>(connection_->uri());
    return connection_;
  }

  // What would give space back.
  Error with_trash(const Error& full) {
    try {
      const auto held = vm::held_in_trash(*living_connection());
      if (held.machines == 0) return full;
      return {full.code(), std::string(full.what()) + "; " + std::to_string(held.machines) + " in the trash hold " +
                               size_text(held.bytes) + ": muster vm trash list shows them, trash empty lets them go"};
    } catch (const Error&) {
      return full;  // the first error is the one to be told
    }
  }

  std::mutex connection_mutex_;
  std::shared_ptr<const virt::Connection> connection_;
  Replies& replies_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::uint64_t, std::stop_source> running_;
};

int serve(const std::string& uri) {
  Replies replies;
  std::optional<virt::Connection> connection;
  try {
    connection.emplace(uri);
  } catch (const Error& e) {
    replies.send({{"error", to_json(e)}});
    return 0;
  }
  replies.send({{"connected", true}});
  Calls calls(*connection, replies);
  for (std::string line; std::getline(std::cin, line);) {
    const json request = json::parse(line, nullptr, false);
    if (!request.is_object()) continue;
    if (request.contains("cancel"))
      calls.cancel(request["cancel"].get<std::uint64_t>());
    else if (request.contains("id"))
      calls.start(request);
  }
  calls.cancel_all_and_wait();
  end_open_backups();
  // Threads may still be inside libvirt: nothing of it may be taken down under them.
  std::cout.flush();
  ::_exit(0);
}

int serve_console(const std::string& uri, const std::string& domain, virt::ConsoleUse use) {
  const auto say = [](const json& line) { base::write_all(STDERR_FILENO, line.dump(-1, ' ', true) + "\n"); };
  try {
    const virt::Connection connection(uri);
    virt::join_console(connection.domain(domain), use, {.in = STDIN_FILENO, .out = STDOUT_FILENO}, [&] {
      say({{"connected", true}});
    });
  } catch (const Error& e) {
    say({{"error", to_json(e)}});
  }
  // libvirt's event loop goes on.
  ::_exit(0);
}

}  // namespace
}  // namespace muster::cli

int main(int argc, char** argv) {
  ::signal(SIGPIPE, SIG_IGN);
  if (argc == 5 && std::string_view(argv[1]) == "--console") {
    using muster::virt::ConsoleUse;
    const bool take_over = std::string_view(argv[4]) == "take-over";
    return muster::cli::serve_console(argv[2], argv[3], take_over ? ConsoleUse::take_over : ConsoleUse::if_free);
  }
  if (argc > 1 && std::string_view(argv[1]) == "--watch") return muster::cli::watch_guest({argv + 2, argv + argc});
  if (argc > 1 && std::string_view(argv[1]) == "--guard") return muster::cli::guard_job({argv + 2, argv + argc});
  if (argc != 2) {
    std::cerr << "muster-hypervisor-worker: started by other programs of muster, with a libvirt URI\n";
    return 2;
  }
  return muster::cli::serve(argv[1]);
}
