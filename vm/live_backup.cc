#include "vm/live_backup.h"

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <limits>
#include <memory>
#include <set>
#include <tuple>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/quantity.h"
#include "virt/backup_job.h"
#include "vm/care.h"
#include "vm/host_word.h"
#include "vm/job_guard.h"

namespace muster::vm {
namespace {

using base::Code;
using base::Context;
using base::Error;

// Sockets of ours, of this host: another host's backup is not taken for a leftover.
constexpr std::string_view kSocketWord = "muster-";
// Of a Unix socket's address.
constexpr std::size_t kMaxSocketPath = 107;

std::string own_word(const virt::Domain& domain) {
  return fmt::format("{}{}-{}", kSocketWord, host_word(), domain.uuid().substr(0, 8));
}

// `+64055:+107`, of which QEMU's user is the first; nullopt for names, which this machine need not know.
std::optional<uid_t> user_of(const std::string& owner) {
  if (!owner.starts_with('+')) return std::nullopt;
  return static_cast<uid_t>(base::parse_integer(std::string_view(owner).substr(1, owner.find(':') - 1), 0,
                                                std::numeric_limits<uid_t>::max(), "user of a domain"));
}

// A directory of QEMU's user alone, in one that may be anybody's.
std::string private_directory(const virt::Domain& domain, const std::string& scratch) {
  std::string path = scratch + "/" + own_word(domain);
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) base::throw_errno("make directory " + path);
  struct stat facts {};
  if (::lstat(path.c_str(), &facts) != 0) base::throw_errno(path);
  const auto user = user_of(virt::DomainXml(domain.xml(virt::Domain::Xml::current)).owner());
  if (!S_ISDIR(facts.st_mode) || (facts.st_uid != ::geteuid() && facts.st_uid != user))
    throw Error(Code::refused, path + " is there, and is somebody else's");
  if (user && ::geteuid() == 0 && ::lchown(path.c_str(), *user, static_cast<gid_t>(-1)) != 0)
    base::throw_errno("give " + path + " to QEMU's user");
  return path;
}

std::string socket_path(const LiveRequest& request, const virt::Domain& domain) {
  std::string path = request.scratch.empty() || request.elsewhere ? request.directory + "/" + own_word(domain)
                                                                  : private_directory(domain, request.scratch) + "/nbd";
  if (path.size() > kMaxSocketPath) throw Error(Code::usage, path + ": too long a name for a socket");
  return path;
}

bool is_ours(const std::string& socket) {
  const std::filesystem::path path = socket;
  const auto ours = [](const std::filesystem::path& name) {
    return name.string().starts_with(std::string(kSocketWord) + host_word() + "-");
  };
  return ours(path.filename()) || ours(path.parent_path().filename());
}

// What a job leaves behind where it ran in a directory of ours. Of another host's it names nothing here.
void remove_private(const std::string& socket) {
  std::error_code unseen;
  std::filesystem::remove(socket, unseen);
  const auto parent = std::filesystem::path(socket).parent_path();
  if (parent.filename().string().starts_with(kSocketWord)) std::filesystem::remove(parent, unseen);
}

void end_own_job(const virt::Domain& domain, const virt::RunningJob& job) {
  end_job_and_go_on(domain, job);
  remove_private(job.socket);
}

bool is_left_out(const LiveRequest& request, const std::string& target) {
  return std::find(request.without.begin(), request.without.end(), target) != request.without.end();
}

std::vector<LiveDisk> disks_of(const virt::Domain& domain, const LiveRequest& request) {
  std::vector<LiveDisk> disks;
  for (const auto& element : virt::DomainXml(domain.xml(virt::Domain::Xml::current)).disks()) {
    if (!is_backed_up(element) || is_left_out(request, element.target)) continue;
    if (element.type != "file" && request.scratch.empty())
      throw Error(Code::usage, "disk " + element.target + " of '" + domain.name() +
                                   "' is no file: say where what the guest overwrites meanwhile goes, with --scratch");
    // Above the image's encryption it is in clear; to encrypt it anew takes QEMU seconds, in which the guest stands.
    if (element.encrypted && request.scratch.empty())
      throw Error(Code::refused, "disk " + element.target + " of '" + domain.name() +
                                     "' is encrypted by its hypervisor, and what the guest overwrites meanwhile would "
                                     "lie in clear beside the image: say where it may, with --scratch");
    disks.push_back({.target = element.target,
                     .source = element.source,
                     .format = element.format.empty() ? "raw" : element.format,
                     .size_bytes = virt::disk_size_bytes(domain, element.target),
                     .encrypted = element.encrypted});
    // libvirt wants it called as the checkpoint is, in every disk.
    if (disks.back().format == "qcow2" && !request.unrecorded.contains(element.target))
      disks.back().bitmap = request.checkpoint;
  }
  if (disks.empty()) throw Error(Code::refused, "'" + domain.name() + "' has no disk to back up");
  return disks;
}

// What a host that lost its power left beside images: no job runs now. In a directory for all it may be another
// machine's, and stays.
void remove_old_scratch(const LiveRequest& request, const std::vector<LiveDisk>& disks) {
  namespace fs = std::filesystem;
  if (!request.scratch.empty() || request.elsewhere) return;
  for (const auto& disk : disks) {
    const fs::path image = disk.source;
    const std::string begin = image.filename().string() + "." + request.label + "-";
    std::error_code unseen;
    for (const auto& entry : fs::directory_iterator(image.parent_path(), unseen))
      if (entry.path().filename().string().starts_with(begin)) fs::remove(entry.path(), unseen);
  }
}

// What can be told without asking QEMU.
std::string differs_from_earlier(const LiveDisk& disk, const LiveRequest& request) {
  const auto& earlier = request.earlier;
  if (const auto found = request.unrecorded.find(disk.target); found != request.unrecorded.end()) return found->second;
  if (disk.bitmap.empty()) return disk.format + " images keep no record of changes";
  if (!earlier) return "nothing is known of this machine in this repository";
  const auto found = std::find_if(earlier->disks.begin(), earlier->disks.end(),
                                  [&](const EarlierDisk& candidate) { return candidate.target == disk.target; });
  if (found == earlier->disks.end()) return "the disk is new";
  if (earlier->checkpoint.empty()) return "nothing recorded changes since the last backup";
  if (found->size_bytes != disk.size_bytes) return "its size changed";
  if (found->source != disk.source) return "its image is another, or has moved";
  return "";
}

// Which disks' bitmaps are there and whole, each by itself: libvirt refuses all if one is not.
void check_bitmaps(const virt::Domain& domain, const EarlierBackup& earlier, std::vector<LiveDisk>& disks) {
  std::vector<std::string> good;
  for (auto& disk : disks) {
    if (!disk.whole_because.empty()) continue;
    try {
      virt::check_checkpoint(domain, earlier.checkpoint_xml, {disk.target});
      good.push_back(disk.target);
    } catch (const Error& e) {
      disk.whole_because = std::string("its record of changes cannot be used: ") + e.what();
    }
  }
  if (good.empty()) return;
  // The last one registered is of one disk alone.
  virt::check_checkpoint(domain, earlier.checkpoint_xml, good);
}

void decide(const virt::Domain& domain, const LiveRequest& request, std::vector<LiveDisk>& disks) {
  const auto& earlier = request.earlier;
  for (auto& disk : disks) disk.whole_because = differs_from_earlier(disk, request);
  if (!earlier || earlier->checkpoint.empty()) return;
  try {
    check_bitmaps(domain, *earlier, disks);
  } catch (const Error& e) {
    for (auto& disk : disks)
      if (disk.whole_because.empty()) disk.whole_because = e.what();
  }
}

// Own checkpoints that nobody needs. One that stays is only a cost.
void drop_checkpoints(const Context& ctx, const virt::Domain& domain, const std::string& label,
                      const std::string& keep) {
  for (const auto& name : virt::checkpoint_names(domain)) {
    if (!name.starts_with(label + "-") || name == keep) continue;
    try {
      virt::delete_checkpoint(domain, name);
    } catch (const Error& e) {
      ctx.warn(e.what());
    }
  }
}

// Beside the image, unless told.
std::string scratch_of(const LiveRequest& request, const LiveDisk& disk) {
  if (request.scratch.empty()) return disk.source + "." + request.checkpoint;
  return fmt::format("{}/{}-{}", request.scratch, request.checkpoint, disk.target);
}

virt::JobRequest job_of(const LiveRequest& request, const std::string& socket, const std::vector<LiveDisk>& disks) {
  virt::JobRequest job{.socket = socket, .disks = {}, .checkpoint = request.checkpoint};
  for (const auto& disk : disks)
    job.disks.push_back(
        {.target = disk.target,
         .since = disk.whole_because.empty() ? std::optional(request.earlier->checkpoint) : std::nullopt,
         .scratch = scratch_of(request, disk),
         .bitmap = disk.bitmap});
  return job;
}

// Of scratch files; none where they are another host's.
std::set<std::string> scratch_directories(const LiveRequest& request, const std::vector<LiveDisk>& disks) {
  std::set<std::string> directories;
  if (request.elsewhere) return directories;
  for (const auto& disk : disks)
    directories.insert(std::filesystem::path(scratch_of(request, disk)).parent_path().string());
  return directories;
}

// All scratch files have the new checkpoint's name in theirs.
std::unique_ptr<WatchdogProcess> start_watchdog(const virt::Domain& domain, const LiveRequest& request,
                                                const std::set<std::string>& directories) {
  Watchdog words = request.job_watchdog;
  words.emplace_back(stands_still(domain) ? "stands" : "runs");
  words.push_back(request.checkpoint);
  words.insert(words.end(), directories.begin(), directories.end());
  return std::make_unique<WatchdogProcess>(words);
}

// As wanted; else read whole; else without a record for the next time: a backup all the same.
void begin_somehow(const Context& ctx, const virt::Domain& domain, const LiveRequest& request,
                   const std::string& socket, std::vector<LiveDisk>& disks) {
  try {
    return virt::begin_job(domain, job_of(request, socket, disks));
  } catch (const Error& e) {
    if (e.code() == Code::busy || e.code() == Code::unreachable || e.code() == Code::no_space ||
        virt::running_job(domain))
      throw;
    const bool whole =
        std::none_of(disks.begin(), disks.end(), [](const LiveDisk& d) { return d.whole_because.empty(); });
    const bool records = std::any_of(disks.begin(), disks.end(), [](const LiveDisk& d) { return !d.bitmap.empty(); });
    if (whole && !records) throw;
    virt::delete_checkpoint(domain, request.checkpoint);
    for (auto& disk : disks) {
      if (disk.whole_because.empty()) disk.whole_because = e.what();
      if (whole) disk.bitmap.clear();
    }
    if (whole) ctx.warn(std::string(e.what()) + "; what changes from now on is not recorded");
  }
  begin_somehow(ctx, domain, request, socket, disks);
}

// What an interrupted backup left: a guest that is held, a job of ours. Whoever looks after that ends it first.
void clear_leftovers(const Context& ctx, const virt::Domain& domain) {
  take_over(Charge::job, domain.uuid());
  end_left_hold(ctx, domain);
  const auto job = virt::running_job(domain);
  if (!job) return;
  if (!is_ours(job->socket))
    throw Error(Code::busy, "a backup of '" + domain.name() + "' is under way that is not from here (" +
                                (job->socket.empty() ? "it has no socket" : job->socket) +
                                "): virsh domjobabort ends it");
  ctx.note("a backup of '" + domain.name() + "' that was interrupted is ended");
  end_own_job(domain, *job);
}

bool any_records(const std::vector<LiveDisk>& disks) {
  return std::any_of(disks.begin(), disks.end(), [](const LiveDisk& disk) { return !disk.bitmap.empty(); });
}

}  // namespace

bool is_backed_up(const virt::DiskElement& disk) {
  return (disk.device == "disk" || disk.device == "lun") && !disk.read_only && !disk.source.empty();
}

void check_can_be_backed_up(const virt::Domain& domain) {
  const virt::DomainXml xml(domain.xml(virt::Domain::Xml::current));
  for (const char* known : {"kvm", "qemu", "hvf"})
    if (xml.type() == known) return;
  const std::string files = xml.root_directory();
  throw Error(Code::unsupported,
              "'" + domain.name() + "' is a machine of the driver " + xml.type() +
                  ", whose disks muster cannot back up: only those of QEMU are" +
                  (files.empty() ? "" : "; its files are those of its host in " + files + ", for create --area"));
}

base::UniqueFd lock_backup(const std::string& runtime_directory, const virt::Domain& domain) {
  const std::string path = runtime_directory + "/backup-" + domain.uuid() + ".lock";
  base::UniqueFd file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!file) base::throw_errno("open " + path);
  if (::flock(file.get(), LOCK_EX | LOCK_NB) == 0) return file;
  if (errno == EWOULDBLOCK) throw Error(Code::busy, "another backup of '" + domain.name() + "' is under way");
  base::throw_errno("lock " + path);
}

LiveBackup begin_live_backup(const Context& ctx, const virt::Domain& domain, const LiveRequest& request) {
  if (!domain.active()) throw Error(Code::refused, "'" + domain.name() + "' is off");
  clear_leftovers(ctx, domain);
  drop_checkpoints(ctx, domain, request.label, request.earlier ? request.earlier->checkpoint : "");
  LiveBackup backup{.socket = socket_path(request, domain), .disks = disks_of(domain, request)};
  remove_old_scratch(request, backup.disks);
  const auto directories = scratch_directories(request, backup.disks);
  if (const std::string complaint = complaint_of_room(directories); !complaint.empty())
    throw Error(Code::no_space, complaint + ": say where there is more, with --scratch");
  backup.watchdog = start_watchdog(domain, request, directories);
  decide(domain, request, backup.disks);
  ctx.check_stop();
  // A job that was killed with its QEMU leaves its socket.
  std::error_code unseen;
  if (!request.elsewhere) std::filesystem::remove(backup.socket, unseen);
  {
    backup.watchdog->await("the backup of '" + domain.name() + "'");
    GuestHold hold(ctx, domain, request.hold);
    begin_somehow(ctx, domain, request, backup.socket, backup.disks);
    std::tie(backup.consistency, backup.held) = hold.end();
  }
  if (any_records(backup.disks)) backup.checkpoint_xml = virt::checkpoint_xml(domain, request.checkpoint);
  return backup;
}

void end_live_backup(const Context& ctx, const virt::Domain& domain, const std::string& label,
                     const std::string& keep) {
  if (const auto job = virt::running_job(domain); job && is_ours(job->socket)) end_own_job(domain, *job);
  if (domain.active()) drop_checkpoints(ctx, domain, label, keep);
}

}  // namespace muster::vm
