// Whether a clone is who it should be, by what it says of itself over SSH, and that nobody else says the same.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "cli/host_logins.h"
#include "cli/hypervisor_workers.h"
#include "cli/vm_selection.h"

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

// Asks a host until `deadline`, and holds what it says against what is expected, and its machine-id, address and host
// keys against those of the others. Throws as HostLogins::run(), check_portrait() and OnlyOnes::take(). Thread-safe.
SelfPortrait proved(HostLogins& logins, const inventory::ConnectionFacts& facts, base::TimePoint deadline,
                    const Expected& expected, OnlyOnes& only_ones);

// After the proof: a seed with secrets, which `heard`, an answer of its hypervisor, says is there, is replaced by one
// without. Throws base::Error{busy} where its guest does not let go of it.
void drop_secret_seed(HypervisorWorkers& workers, const VmTarget& target, const nlohmann::json& heard);

}  // namespace muster::cli
