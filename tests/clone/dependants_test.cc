// Who is built on a master's images, out of what was seen, and how that is told. Looking itself is tests/e2e's.
#include "clone/dependants.h"

#include <gtest/gtest.h>

namespace muster::clone {
namespace {

using Paths = std::vector<std::string>;

Surroundings around(const std::vector<std::pair<std::string, std::string>>& built_on) {
  Surroundings all;
  for (const auto& [path, base] : built_on) all.images.images[path] = {.path = path, .backing_path = base};
  return all;
}

Generation master_of(const Paths& images) {
  Generation generation;
  for (const auto& path : images) generation.images.push_back({.target = "vda", .path = path, .format = "qcow2"});
  return generation;
}

Paths paths_of(const std::vector<Dependant>& all) {
  Paths paths;
  for (const auto& one : all) paths.push_back(one.image);
  return paths;
}

TEST(Dependants, AreAllThatAreBuiltOnAnImageDirectlyOrNot) {
  const auto all = around({{"/m", ""}, {"/a", "/m"}, {"/b", "/a"}, {"/c", "/b"}, {"/other", "/else"}, {"/else", ""}});
  EXPECT_EQ(paths_of(dependants(master_of({"/m"}), all)), (Paths{"/a", "/b", "/c"}));
  EXPECT_EQ(paths_of(dependants(master_of({"/c"}), all)), Paths{});
  EXPECT_EQ(paths_of(dependants(master_of({"/else", "/b"}), all)), (Paths{"/c", "/other"}));
}

TEST(Dependants, AreSeenWhereTheMastersImageIsGone) {
  EXPECT_EQ(paths_of(dependants(master_of({"/m"}), around({{"/a", "/m"}}))), Paths{"/a"});
}

TEST(Dependants, AreNotTheMastersOwnImages) {
  const auto all = around({{"/m1", ""}, {"/m2", "/m1"}, {"/a", "/m2"}});
  EXPECT_EQ(paths_of(dependants(master_of({"/m1", "/m2"}), all)), Paths{"/a"});
}

TEST(Dependants, OfARingOfImagesComeToAnEnd) {
  EXPECT_EQ(paths_of(dependants(master_of({"/m"}), around({{"/a", "/b"}, {"/b", "/a"}, {"/c", "/c"}}))), Paths{});
}

TEST(Dependants, AreToldWithTheirMachinesAndNotAllOfMany) {
  auto all = around({{"/a", "/m"}, {"/b", "/m"}});
  all.disks = {{"/b", "web01"}, {"/x", "other"}};
  EXPECT_EQ(told(dependants(master_of({"/m"}), all)), "image /a, domain 'web01' (/b)");
  EXPECT_EQ(told({}), "");
  const std::string many = told(std::vector<Dependant>(5000, {.image = "/i", .machine = ""}));
  EXPECT_LT(many.size(), 300U);
  EXPECT_NE(many.find(" and 4990 more"), std::string::npos) << many;
}

}  // namespace
}  // namespace muster::clone
