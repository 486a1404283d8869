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
     "discard-saved expire keep-disks key-file purge repository skip stop-service timeout yes"},
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

    {"master", "seal", "VM|IMAGE --name=NAME", "a machine that is off, or an image, becomes a generation of a master",
     "copy guest keep-tpm name pool yes"},
    {"master", "list", "[MASTER]", "masters, their generations, and who is built on them", "names"},
    {"master", "remove", "MASTER[@GENERATION]", "let a master go, or one generation of it, that nothing is built on",
     "yes"},
    {"master", "edit", "MASTER", "a machine over the newest generation; once it is off, the next one of it",
     "abandon flatten promote start yes"},

    {"clone", "create", "MASTER[@GENERATION] NAME...", "machines out of a master; those that are missing of a range",
     "add-to address autostart command cpus dns full gateway group host-keys key known-hosts linked "
     "mac-prefix memory network on playbook pool port reflink seed-host-key size spread ssh-config ssh-key "
     "start timeout transport user user-data var wait yes"},
    {"clone", "list", "[MASTER]", "clones, of which generation, of which kind, and where", "names"},
    {"clone", "verify", "PATTERN", "whether they are who they should be, and nobody is twice, over SSH",
     "host-keys key known-hosts limit port ssh-config transport user"},
    {"clone", "flatten", "PATTERN", "let clones stand alone, also while they run", "limit yes"},
    {"clone", "gc", "", "what clones and masters left behind", "yes"},

    {"disk", "info", "FILE|PATTERN:DISK", "what an image is: format, sizes, what it is built on, who needs it as it is",
     "format limit"},
    {"disk", "resize", "FILE|PATTERN:DISK [+|-]SIZE",
     "the image alone, larger, or smaller where nothing is cut off but zeroes; what is inside stays as it is",
     "format limit shrink yes"},

    {"key", "scan", "PATTERN --via=hypervisor", "host keys as the hypervisor vouches for them, into the inventory",
     "add-to known-hosts limit via"},

    {"backup", "init", "[REPO]", "a new repository in a directory, with a key file unless told otherwise",
     "chunk-size no-encryption"},
    {"backup", "key", "add|list|remove|export|recover [SLOT]", "who can open the repository, and for what",
     "domain label machine new-passphrase role to yes"},
    {"backup", "create", "VM... | --area=HOST:/PATH... | --name=NAME --image=FILE...",
     "one more restore point of machines, of directories, or of disk images",
     "area ask-pass ask-sudo-pass audit base check compression connect-timeout copy-muster exclude expect fanout "
     "freeze host-keys "
     "idle-timeout image image-format job keepalive keep-daily keep-hourly key known-hosts one-file-system port "
     "retries "
     "ssh-config sudo transport user "
     "keep-last "
     "keep-monthly keep-tag keep-weekly keep-within keep-yearly limit limit-rate max-fail metrics name pause post pre "
     "per-hypervisor prune remote-muster save-failed scratch serial skip-unchanged splay tag tunnel without-disk "
     "workers"},
    {"backup", "list", "[PATTERN]", "restore points: when, how large, what they cost, tags, pins", "names"},
    {"backup", "show", "POINT [PATH|GLOB]", "everything known about a restore point, or about files of an area in it",
     ""},
    {"backup", "tag", "POINT TAG...", "put tags on a restore point, or take them away", "remove"},
    {"backup", "pin", "POINT...", "keep it, whatever the policy says", "remove"},
    {"backup", "status", "[PATTERN]", "the newest restore point of each machine, and whether it is too old", "max-age"},
    {"backup", "diff", "POINT[:DISK] POINT[:DISK]", "what of their disks, or files, differs", ""},
    {"backup", "stats", "", "what machines' restore points hold and cost", ""},
    {"backup", "restore", "POINT[:DISK|:/PATH] --to=FILE|DIR | POINT --as=NAME | POINT --in-place",
     "disks of a restore point into files or a block device, or the whole machine; files of an area",
     "as ask-pass ask-sudo-pass connect-timeout delta format guest host-keys idle-timeout in-place keepalive key "
     "known-hosts limit-rate master port retries same-identity ssh-config start sudo tar to transport user verify "
     "workers yes"},
    {"backup", "ls", "POINT:DISK:/PATH | POINT[:/PATH]", "files inside of a disk, or of an area", "long"},
    {"backup", "cat", "POINT:DISK:/PATH | POINT:/PATH", "a file inside of a disk, or of an area, to standard output",
     ""},
    {"backup", "serve", "POINT[:DISK]", "a disk as an NBD export, or a machine that runs from it at once",
     "boot= limit-rate overlay port same-identity scratch socket to"},
    {"backup", "check", "[POINT]...", "whether the repository is whole, or machines boot from it",
     "boot boot-timeout cpus memory metrics reach read-data scratch script workers"},
    {"backup", "repair", "", "quarantine what is damaged, or take it from another repository", "from workers yes"},
    {"backup", "forget", "PATTERN", "let restore points go that no --keep-... keeps",
     "group-by keep-daily keep-hourly keep-last keep-monthly keep-tag keep-weekly keep-within keep-yearly max-repack "
     "prune"},
    {"backup", "schedule", "--name=JOB --cron=EXPRESSION -- VM... [OPTION]...",
     "make restore points at certain times, by cron or systemd", "cron list name print remove systemd"},
    {"backup", "prune", "", "give back the room of what no restore point needs", "max-repack"},
});

// Among words separated by blanks.
bool names(std::string_view all, std::string_view word) {
  for (std::size_t from = 0; from < all.size();) {
    const std::size_t end = std::min(all.find(' ', from), all.size());
    if (all.substr(from, end - from) == word) return true;
    from = end + 1;
  }
  return false;
}

// With its value, in the next word: `boot=`.
std::string with_value(const OptionRow& option) { return std::string(option.name) + "="; }

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

bool is_general(std::string_view command, const OptionRow& option) {
  return std::none_of(kVerbs.begin(), kVerbs.end(), [&](const VerbRow& v) {
    return v.command == command && (names(v.options, option.name) || names(v.options, with_value(option)));
  });
}

bool takes_next_word(const VerbRow& verb, const OptionRow& option) { return names(verb.options, with_value(option)); }

bool takes(const VerbRow& verb, const OptionRow& option) {
  return is_general(verb.command, option) || names(verb.options, option.name) || takes_next_word(verb, option);
}

}  // namespace muster::cli
