#include "parallel-ssh/ssh_arguments.h"

#include <gtest/gtest.h>

namespace muster::ssh {
namespace {

using Words = std::vector<std::string>;

TEST(SshArguments, WhatCanBeDoneWithoutSshIsTaken) {
  const auto found =
      parse_ssh_arguments({"-o", "StrictHostKeyChecking=no", "-oUserKnownHostsFile=/dev/null", "-C", "-o",
                           "IdentitiesOnly yes", "-o", "ControlMaster=auto", "-o", "ControlPersist=60s"});
  EXPECT_EQ(found.strict_host_key_checking, HostKeyPolicy::no);
  EXPECT_EQ(found.known_hosts_files, Words{"/dev/null"});
  EXPECT_EQ(found.compression, true);
  EXPECT_EQ(found.identities_only, true);
  EXPECT_EQ(found.needs_openssh, "");
}

TEST(SshArguments, FirstValueWinsAsForSsh) {
  const auto found = parse_ssh_arguments({"-oStrictHostKeyChecking=yes", "-oStrictHostKeyChecking=no"});
  EXPECT_EQ(found.strict_host_key_checking, HostKeyPolicy::yes);
}

TEST(SshArguments, TheRestIsNamed) {
  EXPECT_EQ(parse_ssh_arguments({"-o", "ProxyCommand=ssh -W %h:%p b"}).needs_openssh, "-o ProxyCommand=ssh -W %h:%p b");
  EXPECT_EQ(parse_ssh_arguments({"-A"}).needs_openssh, "-A");
  EXPECT_EQ(parse_ssh_arguments({"-oForwardX11=yes"}).needs_openssh, "-o ForwardX11=yes");
  EXPECT_EQ(parse_ssh_arguments({"-oStrictHostKeyChecking=maybe"}).needs_openssh, "-o StrictHostKeyChecking=maybe");
  EXPECT_EQ(parse_ssh_arguments({"-o"}).needs_openssh, "-o");
}

}  // namespace
}  // namespace muster::ssh
