// Snapshots against libvirt's own test driver, which keeps them all.
#include "vm/snapshot.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "virt/connection.h"
#include "virt/lifecycle.h"
#include "vm/quiesce.h"

namespace muster::vm {
namespace {

using base::Code;
using std::chrono::hours;
using std::chrono::seconds;

// Says that it watches, and never acts.
const Watchdog kWatchdog = {"sh", "-c", "echo watching; cat"};

struct Snapshots : testing::Test {
  base::Context ctx;
  virt::Connection connection{"test:///default"};
  virt::Domain domain = connection.domain("test");

  SnapshotFacts create(const std::string& name, std::optional<seconds> expires_after = {}) {
    return create_snapshot(
        domain,
        {.name = name, .description = "before the change", .expires_after = expires_after, .freeze_watchdog = {}});
  }
  std::string names() {
    std::string text;
    for (const auto& facts : snapshots_of(domain)) text += facts.snapshot.name + " ";
    return text;
  }
};

Code code_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const base::Error& e) {
    return e.code();
  }
  ADD_FAILURE() << "worked";
  return Code::io;
}

TEST_F(Snapshots, KnowTheirParentAndWhatTheyAreFor) {
  EXPECT_EQ(create("first").description, "before the change");
  const auto second = create("second", hours(1));
  EXPECT_EQ(second.snapshot.parent, "first");
  EXPECT_EQ(second.snapshot.state, "running");
  EXPECT_TRUE(second.snapshot.current);
  EXPECT_EQ(second.description, "before the change");
  ASSERT_TRUE(second.expires);
  EXPECT_GT(*second.expires, WallClock::now());
}

TEST_F(Snapshots, BringTheMachineBackAsItWas) {
  create("running");
  virt::power_off(domain);
  EXPECT_EQ(revert_to_snapshot(ctx, domain, "running").snapshot.name, "running");
  EXPECT_EQ(domain.state(), virt::State::running);
  EXPECT_EQ(code_of([&] { revert_to_snapshot(ctx, domain, "none"); }), Code::not_found);
}

TEST_F(Snapshots, PruningDeletesOnlyItsOwnThatHaveExpired) {
  create("by-hand");
  create("old", seconds(1));
  create("young", hours(2));
  virt::create_snapshot(domain, "looks-like-ours", "[muster: expires=soon]");
  EXPECT_TRUE(prune_snapshots(ctx, domain, WallClock::now() - hours(1)).empty());
  EXPECT_EQ(prune_snapshots(ctx, domain, WallClock::now() + hours(1)), std::vector<std::string>{"old"});
  EXPECT_EQ(names(), "by-hand young looks-like-ours ");
}

TEST_F(Snapshots, WhatCouldNotBeUndoneIsNotMade) {
  create("a");
  EXPECT_EQ(code_of([&] { create("a"); }), Code::refused);
  EXPECT_EQ(code_of([&] { create("a/b"); }), Code::usage);
  EXPECT_EQ(
      code_of([&] {
        create_snapshot(
            domain,
            {.name = "b", .description = "mine\n[muster: expires=1]", .expires_after = {}, .freeze_watchdog = {}});
      }),
      Code::usage)
      << "pruning would take it";
  EXPECT_EQ(
      code_of([&] {
        create_snapshot(
            domain,
            {.name = "b", .description = "", .expires_after = {}, .memory = Memory::left_out, .freeze_watchdog = {}});
      }),
      Code::unsupported)
      << "disks alone, of a machine that runs";
  virt::power_off(domain);
  EXPECT_EQ(code_of([&] {
              create_snapshot(domain,
                              {.name = "b", .description = "", .expires_after = {}, .freeze_watchdog = kWatchdog});
            }),
            Code::refused)
      << "nobody to freeze";
  EXPECT_EQ(names(), "a ");
}

TEST_F(Snapshots, AFrozenGuestIsThawedAgain) {
  const auto facts = create_snapshot(
      domain, {.name = "quiet", .description = "", .expires_after = hours(1), .freeze_watchdog = kWatchdog});
  EXPECT_TRUE(facts.quiesced);
  EXPECT_TRUE(facts.expires);
  EXPECT_EQ(facts.description, "");
  { const FrozenGuest frozen(domain, seconds(5), kWatchdog); }
  { EXPECT_THROW(FrozenGuest(domain, seconds(5), {"/no/such/watchdog"}), base::Error) << "never without one"; }
  { EXPECT_THROW(FrozenGuest(domain, seconds(5), {"true"}), base::Error) << "nor with one that does not watch"; }
  revert_to_snapshot(ctx, domain, "quiet");
}

TEST(SnapshotNotes, AreTheLastLineAndNobodyElses) {
  const auto read = [](const std::string& text) {
    return read_description({.name = "a", .parent = {}, .state = {}, .description = text});
  };
  SnapshotFacts facts{.snapshot = {}, .description = "two\nlines", .expires = WallClock::time_point(seconds(5))};
  facts.quiesced = true;
  EXPECT_EQ(noted_description(facts), "two\nlines\n[muster: expires=5 quiesced]");
  const auto back = read(noted_description(facts));
  EXPECT_EQ(back.description, "two\nlines");
  EXPECT_EQ(back.expires, facts.expires);
  EXPECT_TRUE(back.quiesced);
  EXPECT_EQ(read("[muster: expires=7]").description, "");
  for (const char* other : {"[muster: expires=x]", "[muster: expires=99999999999]", "[muster: expires=]",
                            "text [muster: expires=3]", "[muster:", "", "]"})
    EXPECT_FALSE(read(other).expires) << other;
}

}  // namespace
}  // namespace muster::vm
