// Gathers equal outputs: hosts whose state, exit status, standard output and standard error are the same form one
// group. One copy of each output is kept. Thread-safe.
#pragma once

#include <array>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "parallel-ssh/output_spool.h"
#include "parallel-ssh/output_store.h"

namespace muster::ssh {

class OutputGroups {
 public:
  using Stored = OutputStore::Stored;
  struct Group {
    std::string label;  // state and exit status, as the caller tells outcomes apart
    std::vector<std::string> hosts;
    Stored out, err;
  };

  explicit OutputGroups(const std::string& directory) : store_(directory) {}

  void add(const std::string& host, const std::string& label, const OutputSpool& out, const OutputSpool& err);

  // Largest group first; among equals, the one whose first host came first.
  std::vector<Group> groups() const;
  void read(const Stored& stored, const std::function<void(std::string_view)>& take) const {
    store_.read(stored, take);
  }

 private:
  struct Key {
    std::string label;
    std::array<unsigned char, 32> out, err;
    auto operator<=>(const Key&) const = default;
  };

  mutable std::mutex mutex_;
  OutputStore store_;
  std::map<Key, std::size_t> index_;
  std::vector<Group> groups_;
};

}  // namespace muster::ssh
