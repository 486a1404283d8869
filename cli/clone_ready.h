// From a clone that is defined to one that is ready: started, its host key heard through the hypervisor and pinned,
// written into the inventory, proved over SSH. Thread-safe.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "cli/clone_proof.h"
#include "cli/host_logins.h"
#include "cli/verb_command.h"
#include "playbooks/play.h"

namespace muster::cli {

struct CloneToReady {
  VmTarget target;
  std::string uuid;
  std::string fixed_address;  // without its length; empty: the hypervisor is asked
  std::vector<std::uint64_t> disk_bytes;
};

class CloneReadying {
 public:
  // Throws base::Error{usage} for options that make no sense, whatever the clones.
  explicit CloneReadying(const VerbCommand& command);

  // Adds it to the inventory, if there is one, as far as it is known before it runs.
  void enlist(const CloneToReady& clone);
  // All of it, within --timeout. Adds to the fields of its result. Throws base::Error{timeout, unreachable, corrupt,
  // io}.
  void make_ready(const CloneToReady& clone, nlohmann::json& fields);

 private:
  std::string address_of(const CloneToReady& clone, const nlohmann::json& heard) const;
  void write_entry(const CloneToReady& clone, const std::string& address, const std::vector<std::string>& keys);
  inventory::ConnectionFacts facts_of(const CloneToReady& clone, const std::string& address,
                                      const std::vector<std::string>& keys) const;
  void run_command(const inventory::ConnectionFacts& facts, base::TimePoint deadline, nlohmann::json& fields);
  void run_playbook(const inventory::ConnectionFacts& facts, base::TimePoint deadline, nlohmann::json& fields);

  const VerbCommand& command_;
  std::chrono::milliseconds patience_;
  std::optional<std::string> file_;  // of the inventory
  HostLogins logins_;
  OnlyOnes only_ones_;
  std::optional<playbooks::Play> play_;
};

}  // namespace muster::cli
