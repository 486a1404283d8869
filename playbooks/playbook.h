// A playbook: what is to be done on a host, as tasks in an order, each with what tells whether it is needed
// (muster-playbook(5)). Reading one asks no host. Plain values.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace muster::playbooks {

inline constexpr std::size_t kMaxTasks = 1000;
inline constexpr std::size_t kMaxScriptBytes = 16U << 20;
inline constexpr std::size_t kMaxScriptsBytes = 64U << 20;  // of all of them together

struct Script {
  std::string path;   // as it is named in messages
  std::string bytes;  // not empty
  std::vector<std::string> arguments;
};

struct Task {
  std::string name = {};  // the user's, or what it does in a few words
  // One of the two. A command is one string for the login shell, as `muster run` sends it.
  std::string command = {};
  std::optional<Script> script = {};
  // As whom it is done.
  enum class As {
    inventory_says,  // who logs in, unless the host's variables know better
    login,           // who logs in
    user             // `user`, through sudo
  };
  As as = As::inventory_says;
  std::string user = {};
  // Not needed where ...
  std::optional<std::string> creates = {};  // ... this path is there
  std::optional<std::string> removes = {};  // ... this path is not there
  std::optional<std::string> unless = {};   // ... this command of sh(1) ends with 0
  std::optional<std::string> only_if = {};  // ... this command of sh(1) ends with anything else
  std::set<int> fine{0};                    // exit statuses that are no failure
  bool may_fail = false;                    // a failure is told, and the next task follows
  std::optional<std::chrono::milliseconds> timeout = {};
};

struct Playbook {
  std::string path;
  std::string name;   // empty: it has none
  std::string hosts;  // a pattern; empty: it says none
  std::vector<Task> tasks;
};

// Scripts are read, relative to the playbook's own directory. Throws base::Error{usage} as
// `file:line:column: what is wrong; what to write`; the first mistake only.
Playbook read_playbook(const std::string& path);

}  // namespace muster::playbooks
