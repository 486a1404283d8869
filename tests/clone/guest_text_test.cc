// Small files of a guest's, changed where they tell of their machine and nowhere else.
#include "clone/guest_text.h"

#include <gtest/gtest.h>

namespace muster::clone {
namespace {

TEST(GuestText, HostsNamesThisMachineAnew) {
  const std::string before =
      "127.0.0.1\tlocalhost\n"
      "127.0.1.1\tgold.example.org gold\n"
      "::1 gold ip6-localhost\n"
      "# 127.0.1.1 gold\n"
      "192.0.2.7 gold golden\n"
      "127.0.0.2 golden";
  EXPECT_EQ(hosts_renamed(before, "gold", "web01"),
            "127.0.0.1\tlocalhost\n"
            "127.0.1.1\tweb01.example.org web01\n"
            "::1 web01 ip6-localhost\n"
            "# 127.0.1.1 gold\n"
            "192.0.2.7 gold golden\n"
            "127.0.0.2 golden");
  EXPECT_EQ(hosts_renamed("127.0.1.1 gold.example.org gold\n", "gold.example.org", "web01.other.org"),
            "127.0.1.1 web01.other.org web01\n");
  EXPECT_EQ(hosts_renamed("127.0.1.1 gold.example.org gold\n", "gold", "web01.other.org"),
            "127.0.1.1 web01.other.org web01\n");
  EXPECT_EQ(hosts_renamed("127.0.0.1 localhost\n", "localhost", "web01"), "127.0.0.1 localhost\n");
  EXPECT_EQ(hosts_renamed("127.0.0.1 localhost localhost.localdomain\n", "localhost.localdomain", "web01"),
            "127.0.0.1 localhost localhost.localdomain\n");
  EXPECT_EQ(hosts_renamed("192.0.2.7 gold.example.org gold\n2001:db8::7 gold\n", "gold", "web01", "192.0.2.11"),
            "192.0.2.11 web01.example.org web01\n2001:db8::7 gold\n");
  EXPECT_EQ(hosts_renamed("127.0.0.1 localhost\n", "", "web01"), "127.0.0.1 localhost\n");
}

TEST(GuestText, OtherLinesStay) {
  EXPECT_EQ(with_host_name("NETWORKING=yes\nHOSTNAME=gold\n", "web01"), "NETWORKING=yes\nHOSTNAME=web01\n");
  EXPECT_EQ(with_host_name("NETWORKING=yes\n", "web01"), "NETWORKING=yes\n");
  EXPECT_EQ(initiator_renamed("## made once\nInitiatorName=iqn.1993-08.org.debian:01:abc\n", "def"),
            "## made once\nInitiatorName=iqn.1993-08.org.debian:01:def\n");
  EXPECT_EQ(initiator_renamed("GenerateName=yes\n", "def"), "GenerateName=yes\n");
}

TEST(GuestText, SshdSaysWhereItsKeysAre) {
  EXPECT_EQ(host_key_settings("Port 22\n#HostKey /etc/ssh/no\nHostKey /etc/ssh/a\n hostkey = \"/keys/b\"\n"
                              "HostKeyAgent x\nHostKey relative\n"),
            (std::vector<std::string>{"/etc/ssh/a", "/keys/b"}));
}

TEST(GuestText, TheFirstLineComesBare) {
  EXPECT_EQ(first_line(" \n gold \n other"), "gold");
  EXPECT_EQ(first_line(""), "");
  EXPECT_EQ(first_line("gold"), "gold");
}

TEST(GuestText, LinesAreAddedOnce) {
  EXPECT_EQ(with_lines_added("", {"a", "b"}), "a\nb\n");
  EXPECT_EQ(with_lines_added("a\nx", {"a", "b"}), "a\nx\nb\n");
  EXPECT_EQ(with_lines_added("aa\n", {"a"}), "aa\na\n");
}

TEST(GuestText, AccountsAreFoundByTheirNames) {
  const std::string passwd =
      "root:x:0:0:root:/root:/bin/bash\nadmin:x:1000:1001::/home/admin:/bin/sh\nodd:x:y:0::/odd:\nslash:x:9:9::/"
      ":\nno:x\n";
  const auto admin = account_of(passwd, "admin");
  ASSERT_TRUE(admin);
  EXPECT_EQ(admin->uid, 1000U);
  EXPECT_EQ(admin->gid, 1001U);
  EXPECT_EQ(admin->home, "/home/admin");
  EXPECT_EQ(account_of(passwd, "slash")->home, "");
  EXPECT_FALSE(account_of(passwd, "odd"));
  EXPECT_FALSE(account_of(passwd, "no"));
  EXPECT_FALSE(account_of(passwd, "adm"));
}

}  // namespace
}  // namespace muster::clone
