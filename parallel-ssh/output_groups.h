// Gathers equal outputs: hosts whose state, exit status, standard output and standard error are the same form one
// group. One copy of each output is kept, in one temporary file. Thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "parallel-ssh/output_spool.h"

namespace muster::ssh {

class OutputGroups {
 public:
  struct Stored {
    std::uint64_t offset = 0;
    std::uint64_t size_bytes = 0;
  };
  struct Group {
    std::string label;  // state and exit status, as the caller tells outcomes apart
    std::vector<std::string> hosts;
    Stored out, err;
  };

  explicit OutputGroups(const std::string& directory) : directory_(directory) {}

  void add(const std::string& host, const std::string& label, const OutputSpool& out, const OutputSpool& err);

  // Largest group first; among equals, the one whose first host came first.
  std::vector<Group> groups() const;
  void read(const Stored& stored, const std::function<void(std::string_view)>& take) const;

 private:
  struct Key {
    std::string label;
    std::array<unsigned char, 32> out, err;
    auto operator<=>(const Key&) const = default;
  };
  Stored keep(const OutputSpool& spool);

  std::string directory_;
  mutable std::mutex mutex_;
  base::UniqueFd file_;
  std::uint64_t end_ = 0;
  std::map<Key, std::size_t> index_;
  std::vector<Group> groups_;
};

}  // namespace muster::ssh
