#include "cli/ssh_place.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "base/error.h"

namespace muster::cli {
namespace {

using std::chrono::milliseconds;

SshPlace place(const std::string& uri) { return ssh_place(uri, milliseconds(7500)).value(); }
bool has(const SshPlace& place, const std::string& word) {
  return std::find(place.argv.begin(), place.argv.end(), word) != place.argv.end();
}

TEST(SshPlace, IsWhereLibvirtWouldGo) {
  const SshPlace usual = place("qemu+ssh://root@kvm2/system");
  EXPECT_EQ(usual.host, "kvm2");
  EXPECT_EQ(usual.local_uri, "qemu:///system");
  EXPECT_EQ(usual.argv.front(), "ssh");
  EXPECT_EQ(usual.argv.back(), "root@kvm2");
  EXPECT_EQ(usual.argv[usual.argv.size() - 2], "--");
  EXPECT_TRUE(has(usual, "-oBatchMode=yes") && has(usual, "-oConnectTimeout=7"));
  EXPECT_FALSE(has(usual, "-oStrictHostKeyChecking=no"));
}

TEST(SshPlace, TakesWhatTheUriSaysOfTheClient) {
  const SshPlace all = place(
      "qemu+ssh://[fe80::1]:2222/session?keyfile=/my%20keys/id&no_verify=1&command=/opt/ssh&socket=/run/a%2Fb&x=y");
  EXPECT_EQ(all.argv.front(), "/opt/ssh");
  EXPECT_EQ(all.argv.back(), "fe80::1");
  EXPECT_TRUE(has(all, "-p2222") && has(all, "/my keys/id") && has(all, "-oStrictHostKeyChecking=no"));
  EXPECT_EQ(all.local_uri, "qemu+unix:///session?socket=/run/a/b");
  EXPECT_EQ(place("qemu+libssh2://h/system?known_hosts=/k").argv.back(), "h");
  EXPECT_TRUE(has(place("qemu+libssh://h/system?known_hosts=/k"), "-oUserKnownHostsFile=/k"));
}

TEST(SshPlace, IsNoneForThisHostAndOtherTransports) {
  for (const char* uri : {"qemu:///system", "qemu+unix:///system?socket=/a", "test:///default"}) {
    EXPECT_FALSE(ssh_place(uri, milliseconds(1000))) << uri;
    EXPECT_TRUE(is_of_this_host(uri)) << uri;
  }
  for (const char* uri : {"qemu+tls://kvm2/system", "qemu+tcp://kvm2/system", "qemu://kvm2/system"}) {
    EXPECT_FALSE(ssh_place(uri, milliseconds(1000))) << uri;
    EXPECT_FALSE(is_of_this_host(uri)) << uri;
  }
}

TEST(SshPlace, RefusesWhatWouldBeAnOptionOrNonsense) {
  for (const char* uri :
       {"qemu+ssh://-oProxyCommand=x/system", "qemu+ssh://h:ssh/system", "qemu+ssh://h:99999/system",
        "qemu+ssh://root@/system", "qemu+ssh://h/system?keyfile=%zz", "qemu+ssh://h/system?keyfile=%4"})
    EXPECT_THROW(ssh_place(uri, milliseconds(1000)), base::Error) << uri;
}

}  // namespace
}  // namespace muster::cli
