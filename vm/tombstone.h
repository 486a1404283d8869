// What stands in the metadata of a machine that is being retired, or is in the trash: the journal of its retirement,
// with what undoes each step, and when it may go for good. A machine in the trash is a domain of another name, which
// says so; its UUID, definition, disks, firmware variables and TPM state stay as and where they are. A journal that
// came with the copied definition of another machine is none. Thread-safe.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "virt/connection.h"
#include "virt/moments.h"

namespace muster::vm {

// In the order in which they are taken.
enum class Step {
  disable_logins,
  stop_services,
  shut_down,
  final_backup,
  saved_memory,  // an image of `vm save`, which stands under the machine's name
  autostart,
  snapshots,    // libvirt's entries; images keep what they hold
  checkpoints,  // the same
  firmware,     // UEFI variables, whose file libvirt names after the machine
  disks,        // removed; only for good
  unregister,   // the name becomes free: another name in the trash, or no definition any more
};
// `disable-logins`, ...
const char* name_of(Step step);
// Throws base::Error{usage} naming those that can be left out.
Step optional_step(std::string_view name);

enum class Aim { trash, purge, undelete };

struct StepRecord {
  enum class State { planned, done, left_out };
  Step step = Step::unregister;
  State state = State::planned;
  std::string undo = {};  // what was before, where undoing needs it
};

using Time = std::chrono::sys_seconds;

struct Retirement {
  std::string name;  // the machine's own
  Aim aim = Aim::trash;
  Time begun{};               // the first attempt, which names what is in the trash
  Time deleted{}, expires{};  // of the last that was asked for
  std::vector<StepRecord> steps = {};
  std::vector<virt::Moment> snapshots = {}, checkpoints = {};
  std::vector<std::string> removed = {};  // paths; written down before each goes
  std::string revision = {};              // another with each writing; empty: it was not written yet

  StepRecord& record(Step step);
  const StepRecord* find(Step step) const;
};

// nullopt: nobody retires it. Throws base::Error{corrupt} for an entry that makes no sense, telling how to mend it.
std::optional<Retirement> retirement_of(const virt::Domain& domain);
// All three throw base::Error{busy} where the machine's journal is no longer the one that was read, or written last:
// two who are at the same machine do not both go on.
void write_retirement(const virt::Domain& domain, Retirement& retirement);
void drop_retirement(const virt::Domain& domain, const Retirement& retirement);
void check_still_written(const virt::Domain& domain, const Retirement& retirement);

// `trash-20261123-web01-1a2b3c4d`: no two machines of a hypervisor get the same.
std::string tombstone_name(const Retirement& retirement, const std::string& uuid);
// Whether a machine of that name and journal is in the trash: one that somebody renamed by hand is not any more.
bool lies_in_trash(const std::string& name, const Retirement& retirement);
// Throws base::Error{refused} for one in the trash that runs, or has saved memory: somebody started it there, and would
// lose what it wrote.
void check_unused_in_trash(const virt::Domain& domain, const Retirement& retirement);
// What a domain in the trash was named; nullopt for others. Its name there, where its journal is damaged. One whose
// name says that it is not costs no call.
std::optional<std::string> name_in_trash(const virt::Domain& domain);
inline bool in_trash(const virt::Domain& domain) { return name_in_trash(domain).has_value(); }

struct Tombstone {
  virt::Domain domain;
  Retirement retirement;    // of its name alone, where it is damaged
  std::string damage = {};  // empty: none
  bool in_trash() const;
  // Its retirement, or its end, or its return, was begun and broke off.
  bool unfinished() const;
};
// All of the hypervisor, unfinished and damaged ones too; asks every domain.
std::vector<Tombstone> tombstones(const virt::Connection& connection);
// Whether it may go for good: one in the trash that has expired, or was deleted `older_than` ago, or whose end was
// begun. Never one that is damaged, is coming back, or was deleted in the future: then a clock is wrong.
bool is_due(const Tombstone& tombstone, std::optional<std::chrono::seconds> older_than);
// Those in the trash that had this name, or have it there, but damaged ones.
std::vector<Tombstone> trashed(const virt::Connection& connection, const std::string& name);

// What the disks of machines in the trash take; for errors of full storage.
struct TrashHolding {
  std::size_t machines = 0;
  std::uint64_t bytes = 0;
};
std::uint64_t held_bytes(const virt::Domain& domain);
TrashHolding held_in_trash(const virt::Connection& connection);

Time now();
// RFC 3339, in UTC.
std::string time_text(Time time);
// Throws base::Error{corrupt}.
Time parse_time(const std::string& text);

}  // namespace muster::vm
