// Whether a clone is who it should be, by what it says of itself over SSH, and that nobody else says the same.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace muster::cli {

// A command for the guest's shell, and what came of it.
extern const char* const kSelfPortrait;
struct SelfPortrait {
  std::string host_name;
  std::string machine_id;
  std::vector<std::uint64_t> disk_bytes;
};
SelfPortrait self_portrait(std::string_view output);

struct Expected {
  std::string name;
  std::vector<std::uint64_t> disk_bytes;  // of all its disks; empty: not known
};
// Throws base::Error{corrupt} naming what is wrong.
void check_portrait(const SelfPortrait& portrait, const Expected& expected);

// What only one machine of a run may have. Thread-safe.
class OnlyOnes {
 public:
  // Throws base::Error{corrupt} naming who has it already. What is empty is nobody's.
  void take(const std::string& kind, const std::string& value, const std::string& machine);

 private:
  std::mutex mutex_;
  std::map<std::pair<std::string, std::string>, std::string> taken_;
};

}  // namespace muster::cli
