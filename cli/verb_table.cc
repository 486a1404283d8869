#include "cli/verb_table.h"

#include <algorithm>
#include <array>

namespace muster::cli {
namespace {

constexpr auto kVerbs = std::to_array<VerbRow>({
    {"vm", "list", "[PATTERN]", "all machines of all hypervisors: state, CPUs, memory, disks, addresses", "names"},
    {"vm", "info", "PATTERN", "everything known about a machine", ""},
    {"vm", "xml", "VM", "its definition, as libvirt has it", "definition"},
    {"vm", "stats", "[PATTERN]", "CPU, memory, disk and network use of machines and their hosts",
     "interval prometheus sort timeout"},
    {"vm", "top", "[PATTERN]", "the same again and again, on a terminal", "interval once sort timeout"},
    {"vm", "events", "[PATTERN]", "what happens to machines, as it happens", "count timeout"},
    {"vm", "create", "[VM]", "a new machine: disks, network, first boot; or machines as a file describes them",
     "autostart cpus disk file firmware hostname iso memory network network-config ssh-key start timeout user-data "
     "wait "
     "wait-address yes"},
    {"vm", "start", "PATTERN", "start; from its saved memory where there is any", "paused"},
    {"vm", "stop", "PATTERN", "ask the guest to shut down; pull the plug after --timeout", "timeout no-force"},
    {"vm", "reboot", "PATTERN", "ask the guest to reboot", ""},
    {"vm", "reset", "PATTERN", "reset at once, as the button does", "yes"},
    {"vm", "pause", "PATTERN", "stop its processors, keep its memory", ""},
    {"vm", "resume", "PATTERN", "let a paused machine go on", ""},
    {"vm", "save", "PATTERN", "memory to disk, then off; the next start goes on from there", ""},
    {"vm", "wait", "PATTERN", "until it is running, off, has an address, or its agent, SSH or a port answers",
     "for timeout"},
    {"vm", "autostart", "PATTERN on|off", "whether its hypervisor starts it when that starts", ""},
    {"vm", "delete", "PATTERN", "retire into the trash, or for good with --purge; --dry-run shows the steps",
     "discard-saved expire keep-disks purge skip stop-service timeout yes"},
    {"vm", "undelete", "PATTERN", "out of the trash, as it was; it is not started", ""},
    {"vm", "trash", "list|empty", "what is in the trash; let go for good what has expired", "older-than yes"},
    {"vm", "migrate", "PATTERN --to=URI", "move to another hypervisor, while it runs unless --offline",
     "to offline copy-storage check bandwidth timeout"},
    {"vm", "console", "VM", "its serial console, on this terminal; ^] leaves it", "force"},
    {"vm", "edit", "VM", "its definition, in your editor", "file yes"},
    {"vm", "rename", "VM NEWNAME", "another name for one that is off", ""},
    {"vm", "set", "PATTERN", "other CPUs and memory, now and from the next start",
     "cpus memory max-cpus max-memory timeout"},
    {"vm", "limit", "PATTERN", "what it may take of its host; without options: show that",
     "cpu-pin cpu-quota cpu-shares disk memory-limit net profile"},
    {"vm", "attach", "PATTERN disk=PATH|POOL/VOLUME,...|network=NAME,...|bridge=NAME,...|user,...",
     "a disk or an interface, now and from the next start", ""},
    {"vm", "detach", "PATTERN TARGET|MAC", "a disk or an interface; until the guest has let go of it", "timeout"},
    {"vm", "media", "insert PATTERN FILE|VOLUME | eject PATTERN", "what is in its CD-ROM or floppy drive", "target"},
    {"vm", "snapshot", "create PATTERN [NAME] | list|tree|prune PATTERN | revert|delete PATTERN NAME",
     "states of disks and memory to go back to; prune deletes what has expired",
     "description disk-only expire quiesce timeout yes"},
});

// Options of `vm` that are some verbs' only.
constexpr auto kSpecial = std::to_array<std::string_view>(
    {"autostart",      "bandwidth",  "check",        "copy-storage", "count",       "cpu-pin",
     "cpu-quota",      "cpu-shares", "cpus",         "definition",   "description", "discard-saved",
     "disk",           "disk-only",  "expire",       "file",         "firmware",    "for",
     "force",          "hostname",   "interval",     "iso",          "keep-disks",  "max-cpus",
     "max-memory",     "memory",     "memory-limit", "names",        "net",         "network",
     "network-config", "no-force",   "offline",      "older-than",   "once",        "paused",
     "profile",        "prometheus", "purge",        "quiesce",      "skip",        "sort",
     "ssh-key",        "start",      "stop-service", "target",       "timeout",     "to",
     "user-data",      "wait",       "wait-address", "yes"});

}  // namespace

std::span<const VerbRow> verb_rows() { return kVerbs; }

const VerbRow* find_verb(std::string_view command, std::string_view name) {
  const auto row = std::find_if(kVerbs.begin(), kVerbs.end(),
                                [&](const VerbRow& v) { return v.command == command && v.name == name; });
  return row == kVerbs.end() ? nullptr : &*row;
}

bool has_verbs(std::string_view command) {
  return std::any_of(kVerbs.begin(), kVerbs.end(), [&](const VerbRow& v) { return v.command == command; });
}

bool is_general(const OptionRow& option) {
  return std::find(kSpecial.begin(), kSpecial.end(), option.name) == kSpecial.end();
}

bool takes(const VerbRow& verb, const OptionRow& option) {
  if (is_general(option)) return true;
  const std::string_view all = verb.options;
  for (std::size_t from = 0; from < all.size();) {
    const std::size_t end = std::min(all.find(' ', from), all.size());
    if (all.substr(from, end - from) == option.name) return true;
    from = end + 1;
  }
  return false;
}

}  // namespace muster::cli
