#include "cli/option_table.h"

#include <algorithm>
#include <array>
#include <cctype>

namespace muster::cli {
namespace {

using enum Takes;

constexpr auto kOptions = std::to_array<OptionRow>({
    {"inventory", 'i', list, kEvery, true, "FILE|DIR", "inventory to read; several are merged, later ones win"},
    {"limit", 'l', list, kFleet | kInventory | kVm | kBackup | kClone | kKeys, true, "PATTERN|@FILE", "only hosts that also match"},
    {"ansible-strict", 0, nothing, kEvery, true, "", "read inventories and patterns as Ansible alone would"},
    {"connection", 'c', value, kEvery, true, "URI", "libvirt connection, where no inventory names the hypervisor"},
    {"json", 0, nothing, kEvery, false, "", "JSON Lines on standard output (muster-json(7))"},
    {"quiet", 'q', nothing, kEvery, false, "", "no notes, no progress, no closing count when all is well"},
    {"verbose", 'v', nothing, kEvery, false, "", "tell more: run and ping also say when a host is done"},
    {"no-color", 0, nothing, kEvery, true, "", "no colours (nothing is coloured yet)"},
    {"help", 'h', nothing, kEvery, false, "", "this text"},
    {"version", 0, nothing, kEvery, false, "", "the version"},

    {"fanout", 'f', value, kMany | kBackup, true, "N",
     "units at once (default: from processors and descriptors, at least 64)"},
    {"connect-timeout", 0, value, kRemote | kVirt | kDoctor | kInventory | kBackup, true, "D",
     "until a host has let us in, or a hypervisor answers (10s)"},
    {"timeout", 0, value, kRun | kVm | kClone | kKeys, true, "D",
     "for the command on one host (none); for one machine to stop or come (2m), a hypervisor to answer (10s)"},
    {"idle-timeout", 0, value, kRun | kBackup, true, "D",
     "longest silence of the command (none; backup create --area: 1h)"},
    {"keepalive", 0, value, kRun | kBackup, true, "D",
     "silence before a host is asked for a sign of life; 3 make it dead (15s)"},
    {"retries", 0, value, kFleet | kBackup, true, "N", "more tries for a host that could not be reached (0)"},
    {"serial", 0, value, kFleet | kVm | kBackup | kClone, true, "N|P%", "in batches of so many"},
    {"max-fail", 0, value, kFleet | kVm | kBackup | kMasters, true, "N|P%", "start no more once more than these have failed"},
    {"expect", 0, value, kFleet | kVm | kBackup | kMasters | kKeys, false, "N", "refuse unless exactly N match"},
    {"dry-run", 0, nothing, kRun | kVm | kBackup | kMasters | kKeys, false, "", "print what would be done where, and do nothing"},
    {"yes", 0, nothing, kVm | kBackup | kMasters | kKeys, false, "", "yes to the question that a terminal would be asked"},
    {"gather", 'b', nothing, kRun, true, "", "equal output once, under the folded names of its hosts"},
    {"diff", 0, nothing, kRun, true, "", "as --gather; groups after the largest as differences from it"},
    {"live", 0, nothing, kRun, true, "", "with --gather: also each line as it comes"},
    {"ordered", 0, nothing, kRun, true, "", "lines in the order of the inventory, not as they come"},
    {"raw", 0, nothing, kRun, false, "", "leave control characters as they are, also on a terminal"},
    {"no-prefix", 0, nothing, kRun, true, "", "output lines without their host's name"},
    {"output-dir", 0, value, kRun, true, "DIR", "also each host's output into DIR/HOST and DIR/HOST.err"},
    {"append", 0, nothing, kRun, true, "", "add to the files of --output-dir instead of replacing them"},
    {"save-failed", 0, value, kFleet | kVm | kBackup | kMasters | kKeys, true, "FILE", "names of what is not ok, for -l @FILE"},
    {"argv", 0, nothing, kRun, false, "", "each word stays one word: quote it for the remote shell"},
    {"interactive", 0, nothing, kRun, false, "", "read the commands, a line each, from a prompt or standard input"},
    {"stdin", 0, nothing, kRun, false, "", "send standard input to every host"},
    {"script", 0, value, kRun | kBackup, false, "FILE",
     "run a local script; words after the pattern are its arguments; check --boot: in the guest, by its agent"},
    {"percent", 0, nothing, kRun, true, "",
     "replace %h (host), %a (address), %u (user), %n (number) and %% in the command"},
    {"sudo", 0, optional_value, kRun | kBackup, true, "USER", "through sudo, as root or USER"},
    {"ask-sudo-pass", 0, optional_value, kRun | kBackup, false, "FD",
     "ask for sudo's password on the terminal, or read it from FD"},
    {"max-rc", 0, nothing, kRun, true, "", "exit with the largest status of all hosts"},

    {"user", 'u', value, kRemote | kBackup, true, "NAME", "log in as NAME"},
    {"port", 0, value, kRemote | kBackup, true, "N", "connect to port N; backup serve: listen on port N of 127.0.0.1"},
    {"key", 0, list, kRemote | kBackup, true, "FILE", "private key; no other keys are tried"},
    {"known-hosts", 0, list, kRemote | kBackup, true, "FILE", "known hosts, instead of ssh's files"},
    {"host-keys", 0, value, kRemote | kBackup, true, "strict|accept-new|none",
     "what to do about a host key that is not known (strict); none checks nothing, and warns"},
    {"transport", 0, value, kFleet | kBackup | kClone | kKeys, true, "auto|libssh|openssh", "who speaks SSH (auto)"},
    {"ssh-config", 'F', value, kRemote | kBackup, true, "FILE", "instead of ~/.ssh/config and /etc/ssh/ssh_config"},
    {"ask-pass", 0, optional_value, kFleet | kBackup, false, "FD",
     "ask for the login password on the terminal, or read it from FD"},

    {"names", 0, nothing, kVm | kBackup | kMaster | kClone, false, "", "list: names alone, one a line"},
    {"file", 0, value, kVm, false, "FILE",
     "create: machines as FILE describes them (muster-machines(5)); edit: the new definition, instead of an editor"},
    {"disk", 0, list, kVm, false, "SIZE[,KEY=VALUE]...|DISK=NAME:VALUE,...",
     "create: a disk (from, backing, format, preallocate, pool, bus); limit: iops, bps, and -read, -write of both"},
    {"iso", 0, value, kVm, false, "IMAGE", "create: an installation medium, on the hypervisor"},
    {"cpus", 0, value, kVm | kBackup | kClone, false, "N",
     "create: virtual CPUs (1); set: CPUs it has; backup check --boot: at most (2)"},
    {"memory", 0, value, kVm | kBackup | kClone, false, "SIZE",
     "create: memory (1G); set: memory it has; backup check --boot: at most (2G)"},
    {"firmware", 0, value, kVm, false, "bios|uefi", "create: firmware (bios)"},
    {"network", 0, list, kVm | kClone, false, "network=NAME|bridge=NAME|user|none",
     "create: an interface, with ,mac= and ,model= (network=default)"},
    {"hostname", 0, value, kVm, false, "NAME", "create: the guest's own name, through a seed (the machine's)"},
    {"ssh-key", 0, list, kVm | kClone, false, "FILE", "create: public keys that the guest lets in, through a seed"},
    {"user-data", 0, value, kVm | kClone, false, "FILE", "create: for cloud-init, instead of what muster writes"},
    {"network-config", 0, value, kVm, false, "FILE", "create: for cloud-init, version 1 or 2"},
    {"start", 0, nothing, kVm | kBackup | kClone | kMaster, false, "", "create, backup restore: and start it"},
    {"autostart", 0, nothing, kVm | kClone, false, "", "create: start it whenever its hypervisor starts"},
    {"wait", 0, value, kVm | kClone, false, "running|off|ip|agent|ssh|port:N",
     "create: until it has come so far, --timeout at most"},
    {"wait-address", 0, value, kVm, false, "ADDRESS[:PORT]",
     "create: where --wait ssh looks (what the hypervisor knows)"},
    {"paused", 0, nothing, kVm, false, "", "start: with its processors stopped"},
    {"no-force", 0, nothing, kVm, false, "", "stop: never pull the plug; what does not go is an error"},
    {"for", 0, value, kVm, false, "running|off|ip|agent|ssh|port:N", "wait: for what (running)"},
    {"to", 0, value, kVm | kBackup, false, "URI|FILE|DIR",
     "migrate: libvirt connection of the hypervisor to move to; restore: file or directory; key add, recover: key "
     "file"},
    {"offline", 0, nothing, kVm, false, "", "migrate: move the definition of a machine that is off"},
    {"copy-storage", 0, nothing, kVm, false, "",
     "migrate: copy its images, too; otherwise both sides see the same ones"},
    {"check", 0, optional_value, kVm | kBackup, false, "N/M",
     "migrate: only tell what speaks against it; create: then read the repository's data, or the Nth part of M"},
    {"bandwidth", 0, value, kVm, false, "SIZE", "migrate: bytes a second, at most"},
    {"definition", 0, nothing, kVm, false, "", "xml: what the next start takes, not what runs"},
    {"purge", 0, nothing, kVm, false, "", "delete: for good, with its disks; not into the trash"},
    {"keep-disks", 0, nothing, kVm, false, "", "delete --purge: leave its disks, and name them"},
    {"skip", 0, list, kVm, false, "STEP", "delete: leave a step out, as --dry-run names it"},
    {"stop-service", 0, list, kVm, false, "SERVICE", "delete: stop this service in the guest first"},
    {"discard-saved", 0, nothing, kVm, false, "", "delete: throw a saved memory away, as if the plug had been pulled"},
    {"expire", 0, value, kVm, false, "D",
     "delete: how long the trash keeps it (7d); snapshot create: prune may delete it after that time"},
    {"older-than", 0, value, kVm, false, "D", "trash empty: what was deleted so long ago, expired or not; 0s: all"},
    {"interval", 0, value, kVm, false, "D", "stats, top: what rates are taken over (1s, 2s)"},
    {"prometheus", 0, value, kVm, false, "FILE", "stats: write FILE for the node exporter, and no table"},
    {"sort", 0, value, kVm, false, "cpu|memory|disk|net", "stats, top: the machines that use most of it first"},
    {"once", 0, nothing, kVm, false, "", "top: one table, as stats does"},
    {"count", 0, value, kVm, false, "N", "events: end after so many"},
    {"force", 0, nothing, kVm, false, "", "console: take it from whoever is on it"},
    {"max-cpus", 0, value, kVm, false, "N", "set: CPUs it can be given while it runs; from the next start"},
    {"max-memory", 0, value, kVm, false, "SIZE", "set: memory it can be given while it runs; from the next start"},
    {"cpu-quota", 0, value, kVm, false, "P%|none", "limit: CPU time of the whole machine, 100% being one host CPU"},
    {"cpu-shares", 0, value, kVm, false, "N", "limit: its weight where machines compete for CPU time"},
    {"cpu-pin", 0, value, kVm, false, "LIST|none", "limit: the host CPUs that may run it, as 0-3,8"},
    {"memory-limit", 0, value, kVm, false, "SIZE|none", "limit: memory of the host, QEMU's own included"},
    {"net", 0, list, kVm, false, "MAC|N=in:RATE,out:RATE", "limit: bytes a second of an interface; MAC=none"},
    {"profile", 0, value, kVm, false, "NAME", "limit: what the configuration has under that name"},
    {"target", 0, value, kVm, false, "TARGET", "media: which drive, where there are several"},
    {"description", 0, value, kVm, false, "TEXT", "snapshot create: what it is for"},
    {"disk-only", 0, nothing, kVm, false, "", "snapshot create: of the disks alone; of a machine that is off"},
    {"quiesce", 0, nothing, kVm, false, "", "snapshot create: the guest's file systems frozen, by its agent"},

    {"repository", 'R', value, kBackup | kVm, true, "REPO",
     "the repository: a directory; vm delete: of a final backup"},
    {"key-file", 0, value, kBackup | kVm, true, "FILE", "file with the repository's key; init: make that file"},
    {"passphrase", 0, optional_value, kBackup, false, "FD",
     "ask for the passphrase on the terminal, or read it from FD; init: instead of a key file"},
    {"no-encryption", 0, nothing, kBackup, false, "", "init: without a key; whoever has the repository can read it"},
    {"chunk-size", 0, value, kBackup, false, "SIZE", "init: a power of two, 64K to 4M (256K)"},
    {"role", 0, value, kBackup, false, "owner|host|maintenance", "key add: what the new key is for (owner)"},
    {"label", 0, value, kBackup, false, "TEXT", "key add: whose it is"},
    {"domain", 0, value, kBackup, false, "N", "key add: whom a host shares chunks with (0)"},
    {"machine", 0, list, kBackup, false, "GLOB", "key add: names that a host may back up (all)"},
    {"new-passphrase", 0, optional_value, kBackup, false, "FD", "key add: the new key is a passphrase, not a file"},
    {"name", 0, value, kBackup | kMaster, false, "NAME",
     "create: what the restore points are called, of images, or of one machine or area"},
    {"area", 0, list, kBackup, false, "HOST:/PATH|DIR",
     "create: the files below a directory, of hosts or of this machine"},
    {"exclude", 0, list, kBackup, false, "GLOB", "create --area: leave out names, or with a slash paths"},
    {"one-file-system", 0, nothing, kBackup, false, "", "create --area: enter no other file systems"},
    {"image", 0, list, kBackup, false, "FILE", "create: disk 1, 2, ...: an image, block device or NBD URI"},
    {"image-format", 0, value, kBackup, false, "raw|qcow2", "create: of the images (by their names)"},
    {"base", 0, nothing, kBackup, false, "", "create: a master, whose chunks all hosts may share"},
    {"audit", 0, optional_value, kBackup, false, "N",
     "create: read one part in N of what did not change, the next each time, and compare (30)"},
    {"pre", 0, list, kBackup, false, "COMMAND",
     "create: before each machine's backup, which waits for it; guest:COMMAND is run in the guest"},
    {"post", 0, list, kBackup, false, "COMMAND", "create: after it, whatever came of it"},
    {"freeze", 0, value, kBackup, true, "auto|require|none",
     "create: of running machines, by the guest's agent: where there is one, or no backup without, or not (auto)"},
    {"pause", 0, nothing, kBackup, false, "", "create: for a moment, machines that are not frozen"},
    {"scratch", 0, value, kBackup, true, "DIR",
     "create: for the socket, and what guests overwrite meanwhile (libvirt's own, and beside each image); --boot: for "
     "sockets"},
    {"without-disk", 0, list, kBackup, false, "DISK", "create: leave out disks of that name, as vdb"},
    {"remote-muster", 0, value, kBackup, true, "PATH",
     "create: muster on hosts of other hypervisors, which are reached over SSH (muster)"},
    {"copy-muster", 0, nothing, kBackup, true, "", "create: copy muster's worker to hosts of other hypervisors"},
    {"tunnel", 0, nothing, kBackup, true, "",
     "create: of other hypervisors, which need no muster: their QEMU serves the disks, which come here over SSH"},
    {"per-hypervisor", 0, value, kBackup, true, "N", "create: machines of one hypervisor at once (2)"},
    {"job", 0, value, kBackup, false, "NAME", "create: for schedule: a run of it beside another is skipped"},
    {"splay", 0, value, kBackup, false, "D", "create: begin after a random while, at most D"},
    {"cron", 0, value, kBackup, false, "EXPRESSION", "schedule: when, as in '30 2 * * *' (crontab(5))"},
    {"systemd", 0, optional_value, kBackup, false, "CALENDAR",
     "schedule: by a timer of systemd (systemd.time(7); daily at 2)"},
    {"list", 0, nothing, kBackup, false, "", "schedule: what jobs there are"},
    {"print", 0, nothing, kBackup, false, "", "schedule: show what would be written"},
    {"skip-unchanged", 0, nothing, kBackup, false, "", "create: nothing new where size and time are as last time"},
    {"tag", 0, list, kBackup, false, "TAG", "create: tags of the restore point"},
    {"limit-rate", 0, value, kBackup, true, "SIZE", "create, restore, serve --boot: bytes a second, at most"},
    {"workers", 0, value, kBackup, true, "N", "create, restore, check: threads (one a processor)"},
    {"compression", 0, value, kBackup, true, "N", "create: level of zstd, 1 to 19 (1); -1 to -20: faster, and larger"},
    {"keep-last", 0, value, kBackup, false, "N", "forget, create: keep the newest N"},
    {"keep-hourly", 0, value, kBackup, false, "N",
     "forget, create: the newest of each of the last N hours that have one"},
    {"keep-daily", 0, value, kBackup, false, "N", "forget, create: of each day"},
    {"keep-weekly", 0, value, kBackup, false, "N", "forget, create: of each week"},
    {"keep-monthly", 0, value, kBackup, false, "N", "forget, create: of each month"},
    {"keep-yearly", 0, value, kBackup, false, "N", "forget, create: of each year"},
    {"keep-within", 0, value, kBackup, false, "D", "forget, create: those not older than D before the newest"},
    {"keep-tag", 0, list, kBackup, false, "TAG", "forget, create: those with this tag"},
    {"group-by", 0, value, kBackup, false, "name|host|nothing", "forget: what the policy is applied to (name)"},
    {"prune", 0, nothing, kBackup, false, "", "forget, create: then give back the room"},
    {"max-repack", 0, value, kBackup, false, "SIZE", "prune: write at most so much anew"},
    {"metrics", 0, value, kBackup, false, "FILE",
     "create, check --boot: what came of it, for Prometheus's node exporter"},
    {"remove", 0, nothing, kBackup, false, "", "tag, pin, schedule: take it away"},
    {"max-age", 0, value, kBackup, false, "D", "status: older is stale (26h)"},
    {"format", 0, value, kBackup, false, "raw|qcow2", "restore: of the new files (raw)"},
    {"as", 0, value, kBackup, false, "NAME", "restore: as a new machine of that name"},
    {"same-identity", 0, nothing, kBackup, false, "",
     "restore --as, serve --boot: with the UUID and the addresses that it had"},
    {"in-place", 0, nothing, kBackup, false, "",
     "restore: over the disks of the machine, which is off, or the files of the area"},
    {"tar", 0, nothing, kBackup, false, "", "restore: files as a tar archive, on standard output or --to FILE"},
    {"delta", 0, nothing, kBackup, false, "", "restore: read what is there, and write only what differs"},
    {"verify", 0, nothing, kBackup, false, "", "restore: read again what was written"},
    {"read-data", 0, optional_value, kBackup, false, "N/M", "check: all data, too, or the Nth part of M"},
    {"boot", 0, optional_value, kBackup, false, "NAME",
     "serve: as a machine of that name, which runs at once and is moved to images of its own; check: boot machines for "
     "a "
     "try, without NAME"},
    {"reach", 0, value, kBackup, false, "agent|ssh|serial:EXPRESSION",
     "check --boot: how far they are to come (agent)"},
    {"boot-timeout", 0, value, kBackup, true, "D", "check --boot: how long they have for that (5m)"},
    {"from", 0, value, kBackup, false, "REPO", "repair: take what is damaged from another repository"},
    {"socket", 0, value, kBackup, false, "PATH", "serve: listen on this Unix socket"},
    {"overlay", 0, nothing, kBackup, false, "", "serve: take writes, and forget them at the end"},
    {"long", 0, nothing, kBackup, false, "", "ls: mode, owner, size and time, too"},

    {"fold", 0, nothing, kInventory, false, "", "list: one line of folded names"},
    {"guest", 0, value, kMaster, false, "cloud-init|offline|none",
     "seal: where its clones get identities of their own from (cloud-init)"},
    {"pool", 0, value, kMasters, false, "POOL", "seal --copy, clone create: where new images go (where the old are)"},
    {"linked", 0, nothing, kClone, false, "", "create: images that hold what differs from the master's"},
    {"reflink", 0, nothing, kClone, false, "", "create: images that share their blocks with the master's"},
    {"full", 0, nothing, kClone, false, "", "create: copies of the master's images"},
    {"size", 0, value, kClone, false, "SIZE", "create: of the first disk (as the master's)"},
    {"mac-prefix", 0, value, kClone, true, "BYTES", "create: what MAC addresses begin with (52:54:00)"},
    {"address", 0, value, kClone, false, "ADDRESS/LENGTH", "create: static, with a range as names have: 10.0.0.[11-60]/24"},
    {"gateway", 0, value, kClone, false, "ADDRESS", "create: with --address"},
    {"dns", 0, list, kClone, false, "ADDRESS", "create: name server, with --address"},
    {"on", 0, list, kClone, false, "PATTERN|URI", "create: hypervisors: of these hosts, or by libvirt URI (all that there are)"},
    {"spread", 0, nothing, kClone, false, "", "create: over all of them, those of one group apart, else where there is room"},
    {"group", 0, list, kClone, false, "GROUP", "create: groups of the inventory that they are added to"},
    {"var", 0, list, kClone, false, "NAME=VALUE", "create: a variable for the inventory"},
    {"add-to", 0, value, kClone | kKeys, false, "FILE", "the inventory file that is written to (the one that is read)"},
    {"command", 0, value, kClone, false, "COMMAND", "create --wait ssh: run on each once it is verified"},
    {"via", 0, value, kKeys, false, "hypervisor|network", "scan: who tells the host keys (hypervisor)"},
    {"promote", 0, nothing, kMaster, false, "", "edit: what was edited becomes the next generation"},
    {"abandon", 0, nothing, kMaster, false, "", "edit: throw away what was edited"},
    {"flatten", 0, nothing, kMaster, false, "", "edit --promote: let the new generation stand alone"},
    {"copy", 0, nothing, kMaster, false, "", "seal: copies of its disks; the machine or image stays as it is"},
    {"graph", 0, nothing, kInventory, false, "", "list: the tree of groups"},
    {"groups", 0, nothing, kInventory, false, "", "list: names of groups instead of hosts"},
    {"ansible", 0, nothing, kInventory, false, "", "list: one JSON document as ansible-inventory --list"},
    {"explain", 0, value, kInventory, false, "VAR", "show: every place that sets VAR, the one that wins last"},
});

constexpr auto kCommands = std::to_array<CommandRow>({
    {"run", kRun, "PATTERN [--] COMMAND... | PATTERN --script FILE [ARG...] | PATTERN --interactive",
     "run a command or a script on many hosts"},
    {"ping", kPing, "PATTERN", "who answers and lets us in, how fast, and who does not and why"},
    {"ssh", kSsh, "HOST [COMMAND...]", "a shell on one host, with what the inventory knows of it"},
    {"inventory", kInventory, "list [PATTERN] | show HOST | check | discover [URI]...",
     "what the inventory says, what is wrong with it, and a new one of what hypervisors have"},
    {"vm", kVm, "VERB ...", "the life of virtual machines, on all hypervisors at once"},
    {"backup", kBackup, "VERB ...", "restore points of disks and files: made, listed, checked, restored, let go"},
    {"master", kMaster, "VERB ...", "images that fleets are cloned from: sealed, in generations, listed, let go"},
    {"clone", kClone, "VERB ...", "fleets of machines out of a master, each with an identity of its own"},
    {"key", kKeys, "VERB ...", "passwordless access, and the host keys that make it safe"},
    {"capabilities", kCapabilities, "[URI]...", "what the drivers of hypervisors can do"},
    {"doctor", kDoctor, "", "what this machine lacks, and what to do about it"},
});

}  // namespace

std::span<const OptionRow> option_rows() { return kOptions; }
std::span<const CommandRow> command_rows() { return kCommands; }

const OptionRow* find_option(std::string_view name) {
  const auto row = std::find_if(kOptions.begin(), kOptions.end(), [&](const OptionRow& o) { return o.name == name; });
  return row == kOptions.end() ? nullptr : &*row;
}

const OptionRow* find_option(char letter) {
  const auto row =
      std::find_if(kOptions.begin(), kOptions.end(), [&](const OptionRow& o) { return o.letter == letter; });
  return letter == '\0' || row == kOptions.end() ? nullptr : &*row;
}

const CommandRow* find_command(std::string_view name) {
  const auto row =
      std::find_if(kCommands.begin(), kCommands.end(), [&](const CommandRow& c) { return c.name == name; });
  return row == kCommands.end() ? nullptr : &*row;
}

std::string configuration_key(const OptionRow& option) {
  std::string key(option.name);
  std::replace(key.begin(), key.end(), '-', '_');
  return key;
}

std::string environment_name(const OptionRow& option) {
  std::string name = "MUSTER_" + configuration_key(option);
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return name;
}

}  // namespace muster::cli
