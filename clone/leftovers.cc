#include "clone/leftovers.h"

#include <set>

#include "clone/dependants.h"
#include "clone/master_removal.h"
#include "clone/master_store.h"
#include "virt/domain_list.h"
#include "virt/storage.h"
#include "vm/creation.h"

namespace muster::clone {
namespace {

// Empty: it can go.
std::string at_work(const virt::CreationMark& maker, vm::TakeOver take_over) {
  const std::string who = vm::told(maker);
  const auto life = vm::life_of(maker);
  if (life == vm::MakerLife::alive) return who + " is at it";
  if (life == vm::MakerLife::unknown && take_over == vm::TakeOver::from_the_dead)
    return "nobody can tell from here whether " + who + " still is at it: --yes says it is not";
  return "";
}

std::vector<vm::Leftover> half_made(const base::Context& ctx, const virt::Connection& connection) {
  std::vector<vm::Leftover> found;
  virt::for_each_domain(ctx, connection, [&](const virt::Domain& domain) {
    if (auto leftover = vm::find_leftover(connection, domain.uuid())) found.push_back(std::move(*leftover));
  });
  return found;
}

}  // namespace

Leftovers look_for_leftovers(const base::Context& ctx, const virt::Connection& connection, vm::TakeOver take_over) {
  Leftovers found;
  for (const auto& leftover : half_made(ctx, connection)) {
    Leftovers::Unfinished machine{.name = leftover.domain.name(), .at_work = at_work(leftover.mark, take_over)};
    for (const auto& volume : leftover.mark.volumes) machine.parts.push_back(virt::told(volume));
    found.machines.push_back(std::move(machine));
  }
  const auto around = look_around(ctx, connection);
  const auto all = generations(ctx, connection);
  std::set<std::string> sealed;
  for (const auto& generation : all)
    for (const auto& image : generation.images) sealed.insert(image.path);
  for (const auto& generation : all) {
    if (!generation.whole()) {
      Leftovers::Unfinished master{.name = name_of(generation), .at_work = at_work(*generation.maker, take_over)};
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
                                          vm::TakeOver take_over) {
  std::vector<std::string> removed;
  for (const auto& leftover : half_made(ctx, connection)) {
    if (!at_work(leftover.mark, take_over).empty()) continue;
    for (auto& what : vm::remove(ctx, connection, leftover)) removed.push_back(std::move(what));
  }
  for (const auto& generation : generations(ctx, connection)) {
    if (generation.whole() || !at_work(*generation.maker, take_over).empty()) continue;
    check_unneeded({generation}, look_around(ctx, connection));
    for (auto& image : remove_images(ctx, connection, generation)) removed.push_back(std::move(image));
    removed.push_back("the claims of " + name_of(generation));
  }
  return removed;
}

}  // namespace muster::clone
