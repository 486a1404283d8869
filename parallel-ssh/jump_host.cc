#include "parallel-ssh/jump_host.h"

#include <algorithm>

namespace muster::ssh {

using base::Code;
using base::Error;

std::shared_ptr<JumpLine> JumpHosts::line(const std::string& key, const std::string& name, const Connect& connect) {
  std::unique_lock lock(mutex_);
  Host& host = hosts_[key];
  for (;;) {
    if (cancel_.raised()) throw Error(Code::cancelled, "interrupted connecting");
    if (host.failure) throw *host.failure;
    std::erase_if(host.lines, [](const auto& line) { return line->dead(); });
    const auto lightest = std::min_element(host.lines.begin(), host.lines.end(),
                                           [](const auto& a, const auto& b) { return a->load() < b->load(); });
    if (lightest != host.lines.end() && (host.takes_no_more || (*lightest)->load() < kTargetsPerSession)) {
      (*lightest)->reserve();
      return *lightest;
    }
    if (!host.connecting) break;
    changed_.wait(lock, cancel_.token(), [&] { return !host.connecting; });
  }
  host.connecting = true;
  lock.unlock();

  std::shared_ptr<JumpLine> made;
  std::optional<Error> failure;
  try {
    made = std::make_shared<JumpLine>(connect());
    made->reserve();
  } catch (const Error& e) {
    failure.emplace(e.code() == Code::cancelled ? Code::cancelled : Code::unreachable,
                    "jump host " + name + ": " + e.what());
  } catch (const std::exception& e) {
    failure.emplace(Code::io, "jump host " + name + ": " + e.what());
  }

  lock.lock();
  host.connecting = false;
  changed_.notify_all();
  if (made) {
    host.lines.push_back(made);
    return made;
  }
  host.takes_no_more = std::any_of(host.lines.begin(), host.lines.end(), [](const auto& l) { return !l->dead(); });
  if (host.takes_no_more) {
    lock.unlock();
    return line(key, name, connect);
  }
  host.failure = failure;
  throw *failure;
}

}  // namespace muster::ssh
