#include "parallel-ssh/jump_host.h"

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
    for (const auto& line : host.lines) {
      if (line->load() >= kTargetsPerSession) continue;
      line->reserve();
      return line;
    }
    if (!host.connecting) break;
    changed_.wait(lock, cancel_.token(), [&] { return !host.connecting; });
  }
  host.connecting = true;
  lock.unlock();

  std::shared_ptr<JumpLine> line;
  std::optional<Error> failure;
  try {
    line = std::make_shared<JumpLine>(connect());
    line->reserve();
  } catch (const Error& e) {
    failure.emplace(e.code() == Code::cancelled ? Code::cancelled : Code::unreachable,
                    "jump host " + name + ": " + e.what());
  } catch (const std::exception& e) {
    failure.emplace(Code::io, "jump host " + name + ": " + e.what());
  }

  lock.lock();
  host.connecting = false;
  if (line) host.lines.push_back(line);
  host.failure = failure;
  changed_.notify_all();
  if (failure) throw *failure;
  return line;
}

}  // namespace muster::ssh
