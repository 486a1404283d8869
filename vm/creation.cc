#include "vm/creation.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/error.h"
#include "base/unique_fd.h"
#include "disk/file_copy.h"
#include "disk/new_file.h"
#include "virt/domain_xml.h"
#include "virt/image_files.h"
#include "virt/lifecycle.h"
#include "virt/storage.h"
#include "vm/creation_plan.h"
#include "vm/disk_ownership.h"
#include "vm/seed.h"

namespace muster::vm {
namespace {

using base::Code;
using base::Error;

constexpr std::uint64_t kMaxVariablesBytes = 64U << 20;

std::string joined(const std::vector<std::string>& parts) { return fmt::format("{}", fmt::join(parts, ", ")); }

std::string joined(const std::vector<virt::VolumeName>& volumes) {
  std::vector<std::string> parts;
  for (const auto& volume : volumes) parts.push_back(virt::told(volume));
  return parts.empty() ? "no volumes" : joined(parts);
}

// True if it was there.
bool remove_volume(const virt::Connection& connection, const virt::VolumeName& name) {
  const auto pool = virt::pool(connection, name.pool);
  const auto volume = pool.find(name.name);
  if (!volume) return false;
  virt::remove(*volume);
  return true;
}

void check_nobody_has(const base::Context& ctx, const virt::Connection& connection, const Leftover& leftover) {
  std::set<std::string> paths;
  for (const auto& name : leftover.mark.volumes)
    if (const auto volume = virt::pool(connection, name.pool).find(name.name)) paths.insert(volume->path());
  for (const auto& image : ownership(ctx, connection, {.domain = leftover.domain, .noted = paths}).images)
    if (!image.users.empty())
      throw Error(Code::refused, image.path + " was left by a muster that made '" + leftover.domain.name() +
                                     "', and is used by " + joined(image.users) + " now: it is not removed");
}

// A full pool is named: QEMU's tools only say that there is no space.
Error with_room(const Error& e, const virt::Pool& pool) {
  if (e.code() != Code::no_space) return e;
  pool.refresh();
  return {e.code(),
          fmt::format("{}; pool '{}' has {} bytes left", e.what(), pool.name(), virt::facts(pool).available_bytes)};
}

// Of what programs of others did to them: those stand still, or say something else, where an image cannot grow.
Error with_room(const Error& e, const virt::Connection& connection, const std::vector<PlannedVolume>& volumes) {
  constexpr std::uint64_t kTooLittle = 16U << 20;
  const bool may_be = e.code() == Code::io || e.code() == Code::timeout || e.code() == Code::corrupt;
  for (const auto& volume : volumes) {
    const auto pool = virt::known_pool(connection, volume.pool);
    pool.refresh();
    const bool full = may_be && virt::facts(pool).available_bytes < kTooLittle;
    if (full || e.code() == Code::no_space) return with_room(Error(Code::no_space, e.what()), pool);
  }
  return e;
}

std::string path_in(const virt::Pool& pool, const PlannedVolume& volume) {
  return virt::facts(pool).path + "/" + volume.spec.name;
}

void copy_file(const base::Context& ctx, const virt::Pool& pool, const PlannedVolume& volume) {
  disk::copy_file(ctx, volume.copy_of_file, path_in(pool, volume),
                  volume.shares_blocks ? disk::Sharing::required : disk::Sharing::where_possible);
  pool.refresh();
  virt::grow(pool.volume(volume.spec.name), volume.spec.capacity_bytes);
}

void write_new_file(const std::string& path, const std::string& content) {
  disk::NewFile file(path);
  base::write_all(file.fd(), content);
  file.keep();
}

void undo_and_say(Creation& creation, const Error& why) {
  try {
    creation.undo();
  } catch (const Error& undo_error) {
    throw Error(why.code(), std::string(why.what()) + "; and " + undo_error.what());
  }
}

void clear_way(const base::Context& ctx, const virt::Connection& connection, const Leftover& leftover) {
  const auto removed = remove(ctx, connection, leftover);
  ctx.note("'" + leftover.domain.name() + "' was left half made (" + told(leftover.mark) + "); removed " +
           joined(removed));
}

}  // namespace

Creation::Creation(const virt::Connection& connection, Making making, virt::CreationMark maker, Furnish furnish)
    : connection_(connection), making_(std::move(making)), mark_(std::move(maker)), furnish_(std::move(furnish)) {
  mark_.uuid = making_.uuid;
  mark_.volumes.clear();
  for (const auto& volume : making_.volumes) mark_.volumes.push_back({volume.pool, volume.spec.name});
  steps_.emplace_back([this](const auto& ctx) { reserve(ctx); });
  for (const auto& volume : making_.volumes) {
    steps_.emplace_back([this, &volume](const auto& ctx) { make_volume(ctx, volume); });
    if (!volume.seed || volume.made_here) continue;
    steps_.emplace_back([this, &volume](const auto& ctx) { fill_volume(ctx, volume); });
  }
  if (!making_.variables.empty()) steps_.emplace_back([this](const auto& ctx) { write_variables(ctx); });
  if (furnish_) steps_.emplace_back([this](const auto& ctx) { this->furnish(ctx); });
  steps_.emplace_back([this](const auto&) { complete(); });
  if (making_.autostart) steps_.emplace_back([this](const auto&) { domain_->set_autostart(true); });
}

void Creation::step(const base::Context& ctx) {
  ctx.check_stop();
  steps_.at(next_)(ctx);
  ++next_;
}

std::string Creation::marked_xml() const { return virt::marked_definition(virt::DomainXml(making_.definition), mark_); }

// Variables that are there are another machine's, or were kept for one.
void Creation::check_variables(const base::Context& ctx) const {
  if (making_.variables.empty()) return;
  const std::string file = virt::DomainXml(making_.definition).nvram();
  if (virt::read_small_file(ctx, connection_, file, kMaxVariablesBytes))
    throw Error(Code::refused, "UEFI variables are in " + file +
                                   " already, and are not overwritten: remove them if no "
                                   "machine needs them");
}

void Creation::reserve(const base::Context& ctx) {
  check_variables(ctx);
  domain_ = connection_.define_as_known(marked_xml());
}

void Creation::make_volume(const base::Context& ctx, const PlannedVolume& volume) {
  const auto pool = virt::known_pool(connection_, volume.pool);
  const virt::VolumeName name{volume.pool, volume.spec.name};
  // Since the plan was made: not ours to write to, and not to remove. libvirt itself would not look again.
  if (virt::is_taken(connection_, pool, name.name)) {
    disown(name);
    throw Error(Code::refused, virt::told(name) + " has come to be there meanwhile, and is not overwritten");
  }
  tried_.push_back(name);
  virt::VolumeSpec spec = volume.spec;
  if (volume.seed) {
    seed_content_ = seed_image(*volume.seed, making_.uuid);
    spec.capacity_bytes = seed_content_.size();
  }
  try {
    if (!volume.copy_of_file.empty())
      copy_file(ctx, pool, volume);
    else if (volume.seed && volume.made_here)
      write_new_file(path_in(pool, volume), seed_content_);
    else if (volume.copy_of.name.empty())
      virt::create_volume(ctx, pool, spec);
    else
      virt::copy_volume(ctx, pool, spec, virt::pool(connection_, volume.copy_of.pool).volume(volume.copy_of.name));
  } catch (const Error& e) {
    if (e.code() == Code::refused) disown(name);
    throw with_room(e, pool);
  }
}

void Creation::fill_volume(const base::Context& ctx, const PlannedVolume& volume) {
  const auto pool = virt::known_pool(connection_, volume.pool);
  try {
    virt::upload(ctx, pool.volume(volume.spec.name), seed_content_);
  } catch (const Error& e) {
    throw with_room(e, pool);
  }
}

void Creation::disown(const virt::VolumeName& name) {
  const auto is_it = [&](const virt::VolumeName& other) { return other.pool == name.pool && other.name == name.name; };
  std::erase_if(tried_, is_it);
  std::erase_if(mark_.volumes, is_it);
  domain_ = connection_.define_as_known(marked_xml());
}

// Before the firmware finds none, and makes them anew.
void Creation::write_variables(const base::Context& ctx) {
  virt::write_small_file(ctx, connection_, virt::DomainXml(making_.definition).nvram(), making_.variables);
}

void Creation::furnish(const base::Context& ctx) {
  virt::DomainXml definition(making_.definition);
  try {
    for (const auto& fact : furnish_(ctx)) virt::add_fact(definition, fact);
  } catch (const Error& e) {
    throw with_room(e, connection_, making_.volumes);
  }
  making_.definition = definition.text();
}

void Creation::complete() { domain_ = connection_.define_as_known(making_.definition); }

void Creation::undo() {
  if (!domain_) return;
  std::vector<std::string> kept;
  try {
    if (domain_->active()) virt::power_off(*domain_, virt::Pull::at_once);
    // Back under the mark, should this be the moment to be killed.
    domain_ = connection_.define_as_known(marked_xml());
  } catch (const Error& e) {
    throw Error(Code::io, "'" + domain_->name() + "' cannot be removed again: " + e.what());
  }
  for (auto volume = tried_.rbegin(); volume != tried_.rend(); ++volume) {
    try {
      remove_volume(connection_, *volume);
    } catch (const Error& e) {
      kept.push_back(virt::told(*volume) + " (" + e.what() + ")");
    }
  }
  if (!kept.empty())
    throw Error(Code::io, "these cannot be removed again: " + joined(kept) + "; '" + domain_->name() +
                              "' stays marked as half made, and making it once more will remove them");
  virt::undefine(*domain_, virt::FirmwareState::removed);
  domain_.reset();
}

std::optional<Leftover> find_leftover(const virt::Connection& connection, const std::string& name) {
  const auto domain = connection.find_domain(name);
  if (!domain) return std::nullopt;
  const auto mark = virt::creation_mark(*domain);
  if (!mark) return std::nullopt;
  return Leftover{.domain = *domain, .mark = *mark};
}

void check_abandoned(const Leftover& leftover, TakeOver take_over) {
  check_abandoned(leftover.mark, take_over, "'" + leftover.domain.name() + "' is half made",
                  "removes what it left (" + joined(leftover.mark.volumes) + ")");
}

std::vector<std::string> remove(const base::Context& ctx, const virt::Connection& connection,
                                const Leftover& leftover) {
  check_nobody_has(ctx, connection, leftover);
  if (!virt::creation_mark(leftover.domain))
    throw Error(Code::busy, "'" + leftover.domain.name() + "' was half made, and is whole by now: it stays");
  // Somebody started it, without disks: it has nothing to lose.
  if (leftover.domain.active()) virt::power_off(leftover.domain, virt::Pull::at_once);
  std::vector<std::string> removed;
  for (const auto& volume : leftover.mark.volumes)
    if (remove_volume(connection, volume)) removed.push_back(virt::told(volume));
  virt::undefine(leftover.domain, virt::FirmwareState::removed);
  removed.push_back("the definition of '" + leftover.domain.name() + "'");
  return removed;
}

virt::Domain make(const base::Context& ctx, const virt::Connection& connection, const Making& making,
                  const CreateOptions& options) {
  if (const auto leftover = find_leftover(connection, virt::DomainXml(making.definition).name())) {
    check_abandoned(*leftover, options.take_over);
    clear_way(ctx, connection, *leftover);
  }
  Creation creation(connection, making, mark_of_this_process(), options.furnish);
  try {
    while (!creation.done()) creation.step(ctx);
    if (options.start) virt::start(creation.domain());
  } catch (const Error& e) {
    undo_and_say(creation, e);
    throw;
  }
  return creation.domain();
}

virt::Domain create(const base::Context& ctx, const virt::Connection& connection, const MachineRequest& request,
                    const CreateOptions& options) {
  const auto leftover = find_leftover(connection, request.name);
  if (leftover) check_abandoned(*leftover, options.take_over);
  const auto plan =
      plan_creation(ctx, connection, request, leftover ? leftover->mark.volumes : std::vector<virt::VolumeName>{});
  for (const auto& note : plan.notes) ctx.note(note);
  return make(ctx, connection, plan.making(), options);
}

}  // namespace muster::vm
