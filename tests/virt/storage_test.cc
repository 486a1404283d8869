// Against libvirt's own test driver, whose pool counts bytes and keeps none; tests/e2e/create_test.cc has real images.
#include "virt/storage.h"

#include <functional>

#include <gtest/gtest.h>

#include "base/error.h"
#include "virt/creation_mark.h"
#include "virt/guest_offers.h"

namespace muster::virt {
namespace {

using base::Code;

struct Storage : testing::Test {
  base::Context ctx;
  Connection connection{"test:///default"};
  Pool images = pool(connection, "default-pool");

  std::optional<Code> code_of(const std::function<void()>& action) {
    try {
      action();
    } catch (const base::Error& e) {
      told = e.what();
      return e.code();
    }
    return std::nullopt;
  }
  std::string told;
};

TEST_F(Storage, PoolsAreFoundByNameAndDirectory) {
  EXPECT_EQ(pool_names(connection), std::vector<std::string>{"default-pool"});
  EXPECT_EQ(facts(images).path, "/default-pool");
  EXPECT_TRUE(facts(images).holds_files());
  EXPECT_EQ(facts(images).available_bytes, 100ULL << 30);
  EXPECT_EQ(pool_of_directory(connection, "/default-pool")->name(), "default-pool");
  EXPECT_FALSE(pool_of_directory(connection, "/elsewhere"));
  EXPECT_EQ(code_of([&] { pool(connection, "nowhere"); }), Code::not_found);
  EXPECT_NE(told.find("there are: default-pool"), std::string::npos) << told;
}

TEST_F(Storage, VolumesAreMadeFoundMeasuredAndRemoved) {
  const auto made = create_volume(ctx, images, {.name = "a.qcow2", .capacity_bytes = 3ULL << 30});
  EXPECT_EQ(made.path(), "/default-pool/a.qcow2");
  EXPECT_EQ(made.pool(), "default-pool");
  EXPECT_EQ(made.source().path, made.path());
  EXPECT_EQ(facts(made).capacity_bytes, 3ULL << 30);
  EXPECT_EQ(facts(made).allocation_bytes, 0U);
  EXPECT_EQ(volume_of_path(connection, made.path())->name(), "a.qcow2");
  EXPECT_FALSE(volume_of_path(connection, "/default-pool/b"));
  remove(made);
  EXPECT_FALSE(images.find("a.qcow2"));
  EXPECT_EQ(code_of([&] { images.volume("a.qcow2"); }), Code::not_found);
}

TEST_F(Storage, NothingIsOverwritten) {
  create_volume(ctx, images, {.name = "a.qcow2", .capacity_bytes = 1U << 20});
  EXPECT_EQ(code_of([&] { create_volume(ctx, images, {.name = "a.qcow2", .capacity_bytes = 2U << 20}); }),
            Code::refused);
  EXPECT_EQ(facts(images.volume("a.qcow2")).capacity_bytes, 1U << 20);
}

TEST_F(Storage, WhatDoesNotFitIsNoSpace) {
  EXPECT_EQ(code_of([&] {
              create_volume(ctx, images,
                            {.name = "a.raw",
                             .format = VolumeFormat::raw,
                             .capacity_bytes = 200ULL << 30,
                             .preallocation = Preallocation::falloc});
            }),
            Code::no_space)
      << told;
  EXPECT_FALSE(images.find("a.raw"));
}

TEST_F(Storage, WhatMakesNoSenseIsRefused) {
  EXPECT_EQ(
      code_of([&] {
        create_volume(
            ctx, images,
            {.name = "a", .format = VolumeFormat::raw, .capacity_bytes = 1, .preallocation = Preallocation::metadata});
      }),
      Code::unsupported);
  EXPECT_EQ(code_of([&] {
              create_volume(ctx, images,
                            {.name = "a",
                             .capacity_bytes = 1,
                             .preallocation = Preallocation::full,
                             .backing = BackingImage{.path = "/x", .format = "raw"}});
            }),
            Code::usage);
}

TEST_F(Storage, ADriverThatKeepsNoBytesSaysSo) {
  const auto made = create_volume(ctx, images, {.name = "a", .format = VolumeFormat::raw, .capacity_bytes = 100});
  EXPECT_EQ(code_of([&] { upload(ctx, made, "bytes"); }), Code::unsupported);
}

TEST_F(Storage, OffersAreTheDriversOwn) {
  const auto offer = guest_offer(connection);
  EXPECT_EQ(offer.domain_type, "test");
  EXPECT_EQ(offer.os_type, "hvm");
  EXPECT_EQ(offer.arch, "i686");
  EXPECT_FALSE(offer.emulated);
  EXPECT_FALSE(offers_uefi(connection, offer));
  const auto known = networks(connection);
  ASSERT_EQ(known.size(), 1U);
  EXPECT_TRUE(known[0].name == "default" && known[0].active);
}

TEST(CreationMark, IsReadAsItWasWritten) {
  const CreationMark mark{.uuid = "9f0e",
                          .host = "admin<1>",
                          .machine = "boot/pid:[1]",
                          .pid = 17,
                          .started = 12345678901ULL,
                          .since = "2026-11-23T00:00:00Z",
                          .volumes = {{"default", "a'b&c.qcow2"}, {"fast", "x"}}};
  const auto part = find_part(new_metadata({to_metadata(mark)}), "creating");
  ASSERT_TRUE(part);
  const auto read = creation_mark(*part);
  EXPECT_EQ(new_metadata({to_metadata(read)}), new_metadata({to_metadata(mark)}));
  EXPECT_EQ(read.started, 12345678901ULL);
  EXPECT_EQ(read.volumes.at(0).name, "a'b&c.qcow2");
  EXPECT_FALSE(find_part("<facts master='gold'/>", "creating"));
}

}  // namespace
}  // namespace muster::virt
