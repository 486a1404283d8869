#include <gtest/gtest.h>

#include "parallel-ssh/target_resolution.h"
#include "tests/parallel-ssh/support.h"

namespace muster::ssh {
namespace {

std::string read_back(const std::string& text) {
  const auto read = parse_destination(text);
  return read.user.value_or("-") + " " + read.host + " " + (read.port ? std::to_string(*read.port) : "-");
}

TEST(Destination, IsReadInEveryForm) {
  EXPECT_EQ(read_back("host"), "- host -");
  EXPECT_EQ(read_back("user@host:22"), "user host 22");
  EXPECT_EQ(read_back("ssh://user@host:22"), "user host 22");
  EXPECT_EQ(read_back("user@name@host"), "user@name host -");
  EXPECT_EQ(read_back("fe80::1"), "- fe80::1 -");
  EXPECT_EQ(read_back("[fe80::1]"), "- fe80::1 -");
  EXPECT_EQ(read_back("u@[fe80::1]:65535"), "u fe80::1 65535");
}

TEST(Destination, WhatMakesNoSenseIsRefused) {
  for (const auto* text : {"", "user@", "@host", ":22", "host:0", "host:65536", "host:x", "host:", "[fe80::1",
                           "[fe80::1]22", "[fe80::1]:", "[]:22", "ssh://"}) {
    const auto failure = failure_of([&] { parse_destination(text); });
    EXPECT_TRUE(failure.is(Code::usage, "jump host")) << text << ": " << failure;
  }
}

}  // namespace
}  // namespace muster::ssh
