// MAC addresses for clones: what they may begin with, and that nobody has one twice.
#include "clone/mac_addresses.h"

#include <set>

#include <gtest/gtest.h>

#include "tests/parallel-ssh/support.h"

namespace muster::clone {
namespace {

using base::Code;

TEST(MacAddresses, AreCleanedToOneForm) {
  EXPECT_EQ(clean_mac("52:54:00:1a:2b:3c"), "52:54:00:1a:2b:3c");
  EXPECT_EQ(clean_mac("52:54:00:1A:2B:3C"), "52:54:00:1a:2b:3c");
  for (const char* text : {"", "52:54:00:1a:2b", "52:54:00:1a:2b:3c:4d", "52-54-00-1a-2b-3c", "52:54:00:1a:2b:3g",
                           "5254001a2b3c", " 52:54:00:1a:2b:3c", "52:54:00:1a:2b:3", "::::::"})
    EXPECT_EQ(clean_mac(text), "") << text;
}

TEST(MacAddresses, BeginWithAnyOneToFiveBytes) {
  for (const std::string prefix : {"52", "02:16", "52:54:00", "00:16:3e:01", "52:54:00:AB:cd"}) {
    const std::string mac = MacAddresses(prefix).next();
    EXPECT_EQ(clean_mac(mac), mac) << prefix;
    EXPECT_EQ(mac.substr(0, 2), prefix.substr(0, 2));
    EXPECT_EQ(ssh::failure_of([&] { MacAddresses macs(mac.substr(0, prefix.size())); }).code, std::nullopt) << prefix;
  }
  EXPECT_EQ(MacAddresses("52:54:00:AB:cd").next().substr(0, 15), "52:54:00:ab:cd:");
  EXPECT_EQ(MacAddresses().next().substr(0, 9), "52:54:00:");
}

TEST(MacAddresses, WhatIsNoBeginningIsAUsageError) {
  for (const char* prefix : {"", ":", "5", "52:", ":52", "52:5", "5254", "52-54-00", "52:54:0g", "52:54:00:01:02:03",
                             "52:54:00:01:02:03:04", "52 54", "52:54:00 ", "0x52"})
    EXPECT_TRUE(ssh::failure_of([&] { MacAddresses macs(prefix); }).is(Code::usage, "one to five bytes")) << prefix;
  for (const char* prefix : {"01", "53:54:00", "ff:ff", "0D:00", "a7", "0B", "09"})
    EXPECT_TRUE(ssh::failure_of([&] { MacAddresses macs(prefix); }).is(Code::usage, "group addresses")) << prefix;
}

TEST(MacAddresses, ThousandsAreAllDifferent) {
  MacAddresses macs;
  std::set<std::string> seen;
  for (int i = 0; i < 10'000; ++i) {
    const std::string mac = macs.next();
    ASSERT_EQ(clean_mac(mac), mac);
    ASSERT_TRUE(seen.insert(mac).second) << mac;
  }
}

// With almost all of them taken, however they were written.
TEST(MacAddresses, NeverOneThatIsTaken) {
  MacAddresses macs("52:54:00:aa:bb");
  std::set<std::string> left;
  for (int last = 0; last < 256; ++last) {
    const std::string mac = "52:54:00:aa:bb:" + base::hex(std::string(1, static_cast<char>(last)));
    if (last % 50 == 0)
      left.insert(mac);
    else
      macs.take(last % 2 == 0 ? mac : "52:54:00:AA:BB" + mac.substr(14));
  }
  macs.take("no address");
  std::set<std::string> made;
  for (std::size_t i = 0; i < left.size(); ++i) made.insert(macs.next());
  EXPECT_EQ(made, left);
}

TEST(MacAddresses, AreRefusedWhenNoneIsLeft) {
  MacAddresses macs("52:54:00:aa:bb");
  std::set<std::string> made;
  for (int i = 0; i < 256; ++i) made.insert(macs.next());
  EXPECT_EQ(made.size(), 256U);
  EXPECT_TRUE(ssh::failure_of([&] { macs.next(); }).is(Code::refused, "52:54:00:aa:bb"));
}

}  // namespace
}  // namespace muster::clone
