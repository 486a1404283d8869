#include "clone/leftovers.h"

#include <set>

#include "base/error.h"
#include "clone/dependants.h"
#include "clone/master_removal.h"
#include "clone/master_store.h"
#include "virt/storage.h"
#include "vm/creation.h"
#include "vm/maker.h"

namespace muster::clone {
namespace {

using base::Code;
using base::Error;

// Empty: it can go.
std::string at_work(const virt::CreationMark& maker, GoneOrNot makers) {
  const std::string who = "process " + std::to_string(maker.pid) + " on " + maker.host + ", since " + maker.since;
  const auto life = vm::life_of(maker);
  if (life == vm::MakerLife::alive) return who + " is at it";
  if (life == vm::MakerLife::unknown && makers == GoneOrNot::gone)
    return "nobody can tell from here whether " + who + " still is at it: --yes says it is not";
  return "";
}

std::vector<vm::Leftover> half_made(const base::Context& ctx, const virt::Connection& connection) {
  std::vector<vm::Leftover> found;
  for (const auto& domain : connection.domains()) {
    ctx.check_stop();
    try {
      if (auto leftover = vm::find_leftover(connection, domain.uuid())) found.push_back(std::move(*leftover));
    } catch (const Error& e) {
      if (e.code() != Code::not_found) throw;  // gone since it was listed
    }
  }
  return found;
}

}  // namespace

Leftovers look_for_leftovers(const base::Context& ctx, const virt::Connection& connection, GoneOrNot makers) {
  Leftovers found;
  for (const auto& leftover : half_made(ctx, connection)) {
    Leftovers::Unfinished machine{.name = leftover.domain.name(), .at_work = at_work(leftover.mark, makers)};
    for (const auto& volume : leftover.mark.volumes)
      machine.parts.push_back("volume '" + volume.name + "' of pool '" + volume.pool + "'");
    found.machines.push_back(std::move(machine));
  }
  const auto around = look_around(ctx, connection);
  const auto all = generations(ctx, connection);
  std::set<std::string> sealed;
  for (const auto& generation : all)
    for (const auto& image : generation.images) sealed.insert(image.path);
  for (const auto& generation : all) {
    if (!generation.whole()) {
      Leftovers::Unfinished master{.name = name_of(generation), .at_work = at_work(*generation.maker, makers)};
      for (const auto& image : generation.images) master.parts.push_back(image.path);
      found.masters.push_back(std::move(master));
      continue;
    }
    for (const auto& image : generation.images)
      if (!virt::volume_of_path(connection, image.path))
        found.damaged.push_back("image " + image.path + " of the master " + name_of(generation) + " is gone");
    for (const auto& user : dependants(generation, around))
      if (user.machine.empty() && !sealed.contains(user.image)) found.orphans.push_back(user.image);
  }
  return found;
}

std::vector<std::string> remove_leftovers(const base::Context& ctx, const virt::Connection& connection,
                                          GoneOrNot makers) {
  std::vector<std::string> removed;
  for (const auto& leftover : half_made(ctx, connection)) {
    if (!at_work(leftover.mark, makers).empty()) continue;
    for (auto& what : vm::remove(ctx, connection, leftover)) removed.push_back(std::move(what));
  }
  for (const auto& generation : generations(ctx, connection)) {
    if (generation.whole() || !at_work(*generation.maker, makers).empty()) continue;
    check_unneeded({generation}, look_around(ctx, connection));
    for (auto& image : remove_images(ctx, connection, generation)) removed.push_back(std::move(image));
    removed.push_back("the claims of " + name_of(generation));
  }
  return removed;
}

}  // namespace muster::clone
