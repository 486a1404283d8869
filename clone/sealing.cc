#include "clone/sealing.h"

#include <algorithm>

#include <sys/stat.h>

#include "base/error.h"
#include "clone/dependants.h"
#include "clone/master_removal.h"
#include "clone/master_store.h"
#include "disk/image_claim.h"
#include "virt/domain_xml.h"
#include "virt/image_files.h"
#include "virt/lifecycle.h"
#include "virt/machine_size.h"
#include "virt/storage.h"
#include "vm/creation_plan.h"
#include "vm/firmware.h"
#include "vm/images.h"
#include "vm/own_seed.h"
#include "vm/tombstone.h"

namespace muster::clone {
namespace {

using base::Code;
using base::Error;

constexpr mode_t kReadOnly = 0444;

bool is_image(const std::string& source) { return source.find('/') != std::string::npos; }

class Planner {
 public:
  Planner(const base::Context& ctx, const virt::Connection& connection, const SealRequest& request)
      : ctx_(ctx), connection_(connection), request_(request) {
    if (parse_master_name(request.name).number)
      throw Error(Code::usage,
                  "generations are numbered by themselves: write --name " + parse_master_name(request.name).name);
    plan_.generation.master = request.name;
    plan_.generation.source = request.source;
    plan_.generation.guest = request.guest;
  }

  SealPlan plan() {
    if (is_image(request_.source))
      add_image();
    else
      add_machine();
    choose_number();
    if (plan_.sealed_already) return std::move(plan_);
    check_images();
    if (request_.copy) plan_copies();
    return std::move(plan_);
  }

 private:
  void add_image() {
    if (request_.keep_tpm) throw Error(Code::usage, "an image alone has no TPM whose state could be kept");
    const auto image = vm::find_image(connection_, request_.source, "");
    const auto facts = virt::facts(image);
    if (facts.format != "qcow2" && facts.format != "raw")
      throw Error(Code::unsupported, "image " + image.path() + " is of the format '" + facts.format +
                                         "': convert it to qcow2 or raw first (qemu-img convert)");
    add("vda", image.path(), facts.format);
    vm::MachineRequest usual;
    usual.name = "master-" + request_.name;
    auto& disk = usual.disks.emplace_back();
    disk.size_bytes = facts.capacity_bytes;
    disk.pool = image.pool();
    plan_.generation.definition = vm::plan_creation(ctx_, connection_, usual, {}).xml();
  }

  void add_machine() {
    const auto domain = connection_.find_domain(request_.source);
    if (!domain)
      throw Error(Code::not_found, "no domain '" + request_.source + "' on " + connection_.uri() +
                                       "; an image is POOL/VOLUME, or an absolute path");
    check_at_rest(*domain);
    const virt::DomainXml definition(domain->xml(virt::Domain::Xml::definition));
    for (const auto& disk : definition.disks()) add_disk(disk);
    if (plan_.generation.images.empty())
      throw Error(Code::unsupported, "'" + domain->name() + "' has no disk that could be a master's");
    plan_.generation.definition = without_seed(*domain, definition).text();
    plan_.generation.source_uuid = domain->uuid();
    plan_.generation.variables = vm::read_variables(ctx_, connection_, definition).value_or("");
    if (request_.keep_tpm) plan_.generation.tpm_state = tpm_state_of(*domain, definition);
  }

  std::string tpm_state_of(const virt::Domain& domain, const virt::DomainXml& definition) const {
    if (!connection_.is_of_this_host())
      throw Error(Code::unsupported, "the TPM of '" + domain.name() + "' is on another host: seal it there");
    auto state = vm::read_tpm_state(*request_.keep_tpm, connection_.uri(), definition);
    if (!state) throw Error(Code::usage, "'" + domain.name() + "' has no emulated TPM, or it never ran");
    return std::move(*state);
  }

  // They are this machine's own: a clone gets one of its own.
  virt::DomainXml without_seed(const virt::Domain& domain, virt::DomainXml definition) const {
    const auto seeds = vm::own_seeds(connection_, domain);
    for (const auto& disk : definition.disks())
      if (std::find(seeds.begin(), seeds.end(), virt::image_path(connection_, disk)) != seeds.end())
        virt::remove_disk(definition, disk.target);
    return definition;
  }

  void add_disk(const virt::DiskElement& disk) {
    if (disk.device != "disk" || disk.read_only || disk.shareable || disk.source.empty()) return;
    if (disk.encrypted)
      throw Error(Code::unsupported, "disk " + disk.target + " of '" + request_.source +
                                         "' is encrypted by the hypervisor: its clones would share the key");
    const std::string path = virt::image_path(connection_, disk);
    if (!path.starts_with('/'))
      throw Error(Code::unsupported, "disk " + disk.target + " of '" + request_.source + "' (" + disk.source +
                                         ") is no file or volume of an active pool");
    add(disk.target, path, disk.format.empty() ? "raw" : disk.format);
  }

  void add(const std::string& target, const std::string& path, const std::string& format) {
    plan_.generation.images.push_back({.target = target, .path = path, .format = format});
  }

  // After the newest; the same where this very source was being sealed.
  void choose_number() {
    for (const auto& other : generations(ctx_, connection_)) {
      if (other.master != request_.name) continue;
      if (!other.whole()) {
        vm::check_abandoned(*other.maker, request_.take_over, "the master " + name_of(other) + " is half made",
                            "removes what it left");
        plan_.leftover = other;
        continue;
      }
      plan_.generation.number = other.number + 1;
      if (!is_of_this_source(other)) continue;
      plan_.generation = other;
      plan_.sealed_already = true;
      return;
    }
  }

  // In place: these very images. Of copies: what they were copied of has not changed since.
  bool is_of_this_source(const Generation& other) const {
    const auto& images = plan_.generation.images;
    return std::equal(images.begin(), images.end(), other.images.begin(), other.images.end(),
                      [&](const auto& image, const auto& sealed) {
                        if (!request_.copy) return image.path == sealed.path;
                        const auto source = virt::volume_of_path(connection_, image.path);
                        return source && sealed.copy_of == image.path &&
                               sealed.copy_of_modified == virt::facts(*source).modified;
                      });
  }

  void check_images() {
    const auto around = look_around(ctx_, connection_);
    for (const auto& image : plan_.generation.images) {
      if (const auto claim = claim_of_image(ctx_, connection_, image.path); claim && !request_.copy)
        throw Error(Code::refused, image.path + " belongs to the master " + name_of(*claim) + " already");
      if (!request_.copy) check_place(image, around);
      check_writers(image, around);
    }
  }

  // In place: it stays where it is, and so does what is below it.
  void check_place(const MasterImage& image, const Surroundings& around) {
    if (!virt::pool_of_directory(connection_, virt::directory_of(image.path)))
      throw Error(Code::unsupported, image.path +
                                         " is in no active storage pool of files, where masters are found: "
                                         "define one for its directory, or add --copy --pool POOL");
    const auto seen = around.images.images.find(image.path);
    const std::string below = seen == around.images.images.end() ? "" : seen->second.backing_path;
    if (below.empty()) return;
    const auto base = claim_of_image(ctx_, connection_, below);
    if (!base || !base->whole())
      throw Error(Code::refused, image.path + " is built on " + below +
                                     ", which may change under it: add --copy, which makes it stand alone");
  }

  void check_writers(const MasterImage& image, const Surroundings& around) const {
    for (const auto& [path, name] : around.disks) {
      if (path != image.path || name == request_.source) continue;
      const auto domain = connection_.find_domain(name);
      if (!request_.copy || (domain && domain->active()))
        throw Error(Code::refused, image.path + " is a disk of '" + name + "' too, which may write to it");
    }
  }

  void plan_copies() {
    for (auto& image : plan_.generation.images) {
      plan_.copied.push_back(image.path);
      const auto source = virt::volume_of_path(connection_, image.path);
      if (!source)
        throw Error(Code::unsupported, image.path + " is in no active storage pool: define one for its directory");
      const auto pool = virt::pool(connection_, request_.pool.empty() ? source->pool() : request_.pool);
      const auto facts = virt::facts(pool);
      if (!facts.holds_files())
        throw Error(Code::unsupported, "pool '" + pool.name() + "' is of the type " + facts.type +
                                           ", and masters are files: name another with --pool");
      image.copy_of = image.path;
      image.copy_of_modified = virt::facts(*source).modified;
      image.capacity_bytes = virt::facts(*source).capacity_bytes;
      image.format = image.format == "raw" && !request_.pool.empty() ? "raw" : "qcow2";
      image.path = facts.path + "/" + request_.name + "-g" + std::to_string(plan_.generation.number) + "-" +
                   image.target + "." + image.format;
      image.made = true;
      const bool left = plan_.leftover && std::any_of(plan_.leftover->images.begin(), plan_.leftover->images.end(),
                                                      [&](const auto& old) { return old.path == image.path; });
      if (!left && pool.find(virt::file_name_of(image.path)))
        throw Error(Code::refused, image.path + " is there already, and is not overwritten");
    }
  }

  const base::Context& ctx_;
  const virt::Connection& connection_;
  const SealRequest& request_;
  SealPlan plan_;
};

void copy(const base::Context& ctx, const virt::Connection& connection, const std::string& from,
          const MasterImage& image) {
  const auto source = virt::volume_of_path(connection, from);
  const auto pool = virt::pool_of_directory(connection, virt::directory_of(image.path));
  if (!source || !pool) throw Error(Code::not_found, from + " is gone");
  virt::copy_volume(ctx, *pool,
                    {.name = virt::file_name_of(image.path),
                     .format = image.format == "raw" ? virt::VolumeFormat::raw : virt::VolumeFormat::qcow2,
                     .capacity_bytes = image.capacity_bytes,
                     .read_only = true},
                    *source);
}

// What is measured, in place of what was planned.
void measure(const base::Context& ctx, const virt::Connection& connection, MasterImage& image,
             const ReadProgress& progress) {
  const auto volume = virt::volume_of_path(connection, image.path);
  if (!volume) throw Error(Code::not_found, image.path + " is gone");
  auto now = measured(ctx, *volume, progress);
  now.target = image.target;
  now.format = image.format;
  now.made = image.made;
  now.copy_of = image.copy_of;
  now.copy_of_modified = image.copy_of_modified;
  image = std::move(now);
}

// As far as this machine is the hypervisor: libvirt tells no modes.
void note_mode(const virt::Connection& connection, MasterImage& image) {
  struct stat seen {};
  if (!image.mode_before && virt::is_seen_here(connection, image.path) && ::stat(image.path.c_str(), &seen) == 0)
    image.mode_before = seen.st_mode & 07777U;
}

// ... and changes none.
void make_read_only(const base::Context& ctx, const virt::Connection& connection, const MasterImage& image) {
  if (!virt::is_seen_here(connection, image.path))
    return ctx.note(image.path + " stays writable for others than muster: its mode cannot be changed from here");
  if (::chmod(image.path.c_str(), kReadOnly) != 0)
    ctx.note(image.path + " stays writable for others than muster: " + base::errno_text(errno));
}

// Between the look and the claim somebody may have started the machine. Only what says so makes the images nobody's
// again, and not whatever else may go wrong in looking.
void check_still_off(const base::Context& ctx, const virt::Connection& connection, const Generation& generation) {
  const auto domain = generation.source_uuid.empty() ? std::nullopt : connection.find_domain(generation.source_uuid);
  try {
    if (domain) check_at_rest(*domain);
    check_unchanged(ctx, connection, generation);
  } catch (const Error& e) {
    if (e.code() == Code::refused || e.code() == Code::corrupt) drop_claims(ctx, connection, generation);
    throw;
  }
}

// Copies them all. `made`: those that this call has made, or may have.
void copy_images(const base::Context& ctx, const virt::Connection& connection, const SealPlan& plan, Generation& made) {
  const auto& images = plan.generation.images;
  for (std::size_t i = 0; i < images.size(); ++i) {
    try {
      copy(ctx, connection, plan.copied[i], images[i]);
    } catch (const Error& e) {
      // It has come to be there meanwhile, and is somebody else's.
      if (e.code() != Code::refused) made.images.push_back(images[i]);
      throw;
    }
    made.images.push_back(images[i]);
  }
}

Generation seal_copies(const base::Context& ctx, const virt::Connection& connection, const SealPlan& plan,
                       const ReadProgress& progress) {
  Generation generation = plan.generation;
  generation.maker = vm::mark_of_this_process();
  begin_claims(ctx, connection, generation);
  Generation made = generation;
  made.images.clear();
  try {
    copy_images(ctx, connection, plan, made);
    seal_images(ctx, connection, generation, progress);
  } catch (const Error&) {
    remove_images(ctx, connection, made);
    drop_claims(ctx, connection, plan.generation);
    throw;
  }
  return generation;
}

}  // namespace

void check_at_rest(const virt::Domain& domain) {
  const std::string what = "'" + domain.name() + "'";
  if (vm::in_trash(domain)) throw Error(Code::refused, what + " is in the trash: muster vm undelete it first");
  if (virt::creation_mark(domain)) throw Error(Code::refused, what + " is half made");
  if (domain.active()) throw Error(Code::refused, what + " is running: stop it first (muster vm stop)");
  if (virt::has_saved_image(domain))
    throw Error(Code::refused, what + " has saved memory, whose disks are not at rest: start and stop it first");
}

SealPlan plan_sealing(const base::Context& ctx, const virt::Connection& connection, const SealRequest& request) {
  return Planner(ctx, connection, request).plan();
}

Generation seal(const base::Context& ctx, const virt::Connection& connection, const SealPlan& plan,
                const ReadProgress& progress) {
  if (plan.leftover) {
    check_unneeded({*plan.leftover}, look_around(ctx, connection));
    remove_images(ctx, connection, *plan.leftover);
  }
  if (!plan.sealed_already && !plan.copied.empty()) return seal_copies(ctx, connection, plan, progress);
  Generation generation = plan.generation;
  if (!plan.sealed_already) {
    seal_images(ctx, connection, generation, progress);
    return generation;
  }
  check_unchanged(ctx, connection, generation);
  claim_images(ctx, connection, generation);
  return generation;
}

void claim_images(const base::Context& ctx, const virt::Connection& connection, Generation& generation) {
  generation.maker.reset();
  // The claims first: they have the modes from before.
  for (auto& image : generation.images) note_mode(connection, image);
  write_claims(ctx, connection, generation);
  for (const auto& image : generation.images) make_read_only(ctx, connection, image);
}

void seal_images(const base::Context& ctx, const virt::Connection& connection, Generation& generation,
                 const ReadProgress& progress) {
  for (auto& image : generation.images) measure(ctx, connection, image, progress);
  generation.sealed = vm::time_text(vm::now());
  claim_images(ctx, connection, generation);
  check_still_off(ctx, connection, generation);
}

}  // namespace muster::clone
