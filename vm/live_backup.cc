#include "vm/live_backup.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <limits>
#include <memory>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/error.h"
#include "base/quantity.h"
#include "virt/backup_job.h"
#include "virt/guest_agent.h"
#include "virt/lifecycle.h"
#include "virt/metadata.h"

namespace muster::vm {
namespace {

using base::Clock;
using base::Code;
using base::Context;
using base::Error;
using std::chrono::milliseconds;

constexpr std::chrono::seconds kAgentPatience{3};
constexpr std::chrono::seconds kLeftoverThawPatience{30};
constexpr std::chrono::seconds kLongestHold{600};
// A part of the metadata while the guest is held.
constexpr const char* kHeldPart = "held-by-backup";
// Sockets of ours, of this host: another host's backup is not taken for a leftover.
constexpr std::string_view kSocketWord = "muster-";
// Of a Unix socket's address.
constexpr std::size_t kMaxSocketPath = 107;

std::string host_word() {
  std::array<char, 256> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0) base::throw_errno("ask for the host's name");
  const auto digest = base::sha256(name.data());
  return base::hex({reinterpret_cast<const char*>(digest.data()), 4});
}

std::int64_t now_s() {
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

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

void end_job(const virt::Domain& domain, const std::string& socket) {
  virt::end_job(domain);
  remove_private(socket);
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
    disks.push_back({.target = element.target,
                     .source = element.source,
                     .format = element.format.empty() ? "raw" : element.format,
                     .size_bytes = virt::disk_size_bytes(domain, element.target)});
    // libvirt wants it called as the checkpoint is, in every disk.
    if (disks.back().format == "qcow2") disks.back().bitmap = request.checkpoint;
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
std::string differs_from_earlier(const LiveDisk& disk, const std::optional<EarlierBackup>& earlier) {
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

void decide(const virt::Domain& domain, const std::optional<EarlierBackup>& earlier, std::vector<LiveDisk>& disks) {
  for (auto& disk : disks) disk.whole_because = differs_from_earlier(disk, earlier);
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

// The guest holds still as long as this lives; what it says afterwards is what the disks are worth.
class Stillness {
 public:
  Stillness(const Context& ctx, const virt::Domain& domain, const LiveRequest& request)
      : ctx_(ctx), domain_(domain), request_(request) {
    freeze();
    if (!frozen_ && request.pause && domain.state() == virt::State::running) {
      note_hold("paused");
      // Where that fails, the guest may be paused: the note stays.
      paused_ = std::make_unique<PausedGuest>(domain, request.resume_watchdog);
      began_ = paused_->began();
    }
  }
  Stillness(const Stillness&) = delete;
  Stillness& operator=(const Stillness&) = delete;
  ~Stillness() {
    if (frozen_ || paused_) end_hold();
  }

  // The consistency that was had, and for how long the guest stood still.
  std::pair<std::string, milliseconds> end() {
    const bool held = frozen_ || paused_;
    std::string word = frozen_ ? "filesystem" : paused_ ? "paused" : "crash";
    const bool in_time = !held || (end_hold() && Clock::now() - began_ <= request_.freeze_budget);
    const auto took = held ? std::chrono::duration_cast<milliseconds>(Clock::now() - began_) : milliseconds();
    if (!in_time) {
      ctx_.warn("'" + domain_.name() + "' went on before its disks were taken: they are as after a power cut");
      word = "crash";
    }
    return {word, took};
  }

 private:
  // For whoever comes after a crash of this one and of the watchdog.
  void note_hold(const std::string& how) {
    virt::put_metadata_part(
        domain_,
        {.name = kHeldPart, .attributes = {{"hold", how}, {"host", host_word()}, {"since", std::to_string(now_s())}}});
  }
  void drop_note() {
    try {
      virt::drop_metadata_part(domain_, kHeldPart);
    } catch (const Error& e) {
      ctx_.warn(e.what());
    }
  }

  // Whether it stood still until now. Where it may still do, the note stays, for whoever comes next.
  bool end_hold() {
    bool until_now = false;
    try {
      until_now = frozen_ ? frozen_->thaw() : paused_->resume();
      drop_note();
    } catch (const Error& e) {
      ctx_.warn(e.what());
    }
    frozen_.reset();
    paused_.reset();
    return until_now;
  }

  void freeze() {
    if (request_.freeze == Freeze::none) return;
    bool noted = false;
    try {
      if (!virt::agent_answers(domain_, kAgentPatience))
        throw Error(Code::unsupported, "the guest of '" + domain_.name() + "' cannot be frozen: no agent answers");
      note_hold("frozen");
      noted = true;
      frozen_ = std::make_unique<FrozenGuest>(domain_, request_.freeze_budget, request_.thaw_watchdog);
      began_ = frozen_->began();
    } catch (const Error& e) {
      // A freeze that failed is thawed, or watched.
      if (noted) drop_note();
      if (request_.freeze == Freeze::required) throw Error(Code::refused, e.what());
      if (e.code() != Code::unsupported) ctx_.warn(e.what());
    }
  }

  const Context& ctx_;
  const virt::Domain& domain_;
  const LiveRequest& request_;
  std::unique_ptr<FrozenGuest> frozen_;
  std::unique_ptr<PausedGuest> paused_;
  base::TimePoint began_;
};

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

// As wanted; else read whole; else without a record for the next time: a backup all the same.
void begin_somehow(const Context& ctx, const virt::Domain& domain, const LiveRequest& request,
                   const std::string& socket, std::vector<LiveDisk>& disks) {
  try {
    return virt::begin_job(domain, job_of(request, socket, disks));
  } catch (const Error& e) {
    if (e.code() == Code::busy || e.code() == Code::unreachable || e.code() == Code::no_space ||
        virt::job_socket(domain))
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

// Another host's hold is no leftover before it has lasted longer than any does.
void check_not_held_elsewhere(const virt::Domain& domain, const virt::MetadataElement& held) {
  const std::string host = held.attribute("host"), since = held.attribute("since");
  if (host.empty() || host == host_word()) return;
  const std::int64_t began = base::parse_integer(since, 0, std::numeric_limits<std::int64_t>::max(), "time of a hold");
  if (now_s() - began < kLongestHold.count())
    throw Error(Code::busy, "a backup of '" + domain.name() + "' from another host holds it just now");
}

// What an interrupted backup left: a guest that is held, a job of ours.
void clear_leftovers(const Context& ctx, const virt::Domain& domain) {
  if (const auto held = virt::metadata_part(domain, kHeldPart)) {
    check_not_held_elsewhere(domain, *held);
    if (domain.active() && held->attribute("hold") == "frozen") {
      ctx.warn("'" + domain.name() + "' was left frozen by a backup that was killed: it is thawed");
      thaw_within(ctx, domain, kLeftoverThawPatience);
    }
    if (held->attribute("hold") == "paused" && domain.state() == virt::State::paused) {
      ctx.warn("'" + domain.name() + "' was left paused by a backup that was killed: it goes on");
      virt::resume(domain);
    }
    virt::drop_metadata_part(domain, kHeldPart);
  }
  const auto socket = virt::job_socket(domain);
  if (!socket) return;
  if (!is_ours(*socket))
    throw Error(Code::busy, "a backup of '" + domain.name() + "' is under way that is not from here (" +
                                (socket->empty() ? "it has no socket" : *socket) + "): virsh domjobabort ends it");
  ctx.note("a backup of '" + domain.name() + "' that was interrupted is ended");
  end_job(domain, *socket);
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
  decide(domain, request.earlier, backup.disks);
  ctx.check_stop();
  // A job that was killed with its QEMU leaves its socket.
  std::error_code unseen;
  if (!request.elsewhere) std::filesystem::remove(backup.socket, unseen);
  {
    Stillness stillness(ctx, domain, request);
    begin_somehow(ctx, domain, request, backup.socket, backup.disks);
    std::tie(backup.consistency, backup.held) = stillness.end();
  }
  if (any_records(backup.disks)) backup.checkpoint_xml = virt::checkpoint_xml(domain, request.checkpoint);
  return backup;
}

void end_live_backup(const Context& ctx, const virt::Domain& domain, const std::string& label,
                     const std::string& keep) {
  if (const auto socket = virt::job_socket(domain); socket && is_ours(*socket)) end_job(domain, *socket);
  if (domain.active()) drop_checkpoints(ctx, domain, label, keep);
}

}  // namespace muster::vm
