// Who uses an image, judged on listings as libvirt gives them.
#include "vm/disk_ownership.h"

#include <gtest/gtest.h>

namespace muster::vm {
namespace {

using Users = std::vector<std::string>;

virt::ImageListing listing(const std::vector<virt::ImageFile>& images) {
  virt::ImageListing all;
  for (const auto& image : images) all.images[image.path] = image;
  return all;
}

TEST(DiskOwnership, AnImageThatNobodyElseNamesIsItsOwn) {
  EXPECT_EQ(users_of("/i/a", {"/i/a"}, {{"web02", {"/i/b"}}}, listing({{.path = "/i/a"}, {.path = "/i/b"}})), Users{});
}

TEST(DiskOwnership, AnotherDomainThatNamesItUsesIt) {
  EXPECT_EQ(users_of("/i/a", {"/i/a"}, {{"web02", {"/i/a"}}}, {}), Users{"domain 'web02'"});
}

TEST(DiskOwnership, AnotherDomainUsesWhatItsImageIsBuiltOn) {
  const auto images =
      listing({{.path = "/i/a"}, {.path = "/i/b", .backing_path = "/i/a"}, {.path = "/i/c", .backing_path = "/i/b"}});
  EXPECT_EQ(users_of("/i/a", {"/i/a"}, {{"web02", {"/i/c"}}}, images), Users{"domain 'web02'"});
}

TEST(DiskOwnership, AnImageWithoutADomainUsesWhatItIsBuiltOn) {
  const auto images = listing({{.path = "/i/a"}, {.path = "/i/clone", .backing_path = "/i/a"}});
  EXPECT_EQ(users_of("/i/a", {"/i/a"}, {}, images), Users{"image /i/clone"});
}

TEST(DiskOwnership, TheMachinesOwnImagesDoNotUseEachOther) {
  const auto images = listing({{.path = "/i/a"}, {.path = "/i/top", .backing_path = "/i/a"}});
  EXPECT_EQ(users_of("/i/a", {"/i/a", "/i/top"}, {}, images), Users{});
}

TEST(DiskOwnership, OneFileUnderTwoPathsIsOneImage) {
  const auto images = listing({{.path = "/i/a", .identity = "1.5/1.5/100"},
                               {.path = "/link/b", .identity = "1.5/1.5/100"},
                               {.path = "/i/b", .identity = ""},
                               {.path = "/i/c", .identity = ""}});
  EXPECT_EQ(users_of("/i/a", {"/i/a"}, {{"web02", {"/link/b"}}}, images), Users{"domain 'web02' as /link/b"});
  EXPECT_EQ(users_of("/i/b", {"/i/b"}, {{"web02", {"/i/c"}}}, images), Users{});
}

TEST(DiskOwnership, AChainThatGoesInCirclesEnds) {
  const auto images =
      listing({{.path = "/i/a"}, {.path = "/i/b", .backing_path = "/i/c"}, {.path = "/i/c", .backing_path = "/i/b"}});
  EXPECT_EQ(users_of("/i/a", {"/i/a"}, {{"web02", {"/i/b"}}}, images), Users{});
}

}  // namespace
}  // namespace muster::vm
