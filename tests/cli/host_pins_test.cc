// Host keys under a machine's UUID in a text of known_hosts: in place of its old ones, all other lines as they were.
#include "cli/host_pins.h"

#include <gtest/gtest.h>

namespace muster::cli {
namespace {

const std::string kUuid = "11111111-2222-4333-8444-555555555555";
const std::string kOther = "11111111-2222-4333-8444-555555555556";

TEST(HostPins, StandInPlaceOfTheOldOnes) {
  const std::string others = "# a comment\n\nweb01,192.0.2.1 ssh-ed25519 AAAA\n@revoked * ssh-rsa BBBB\n" + kOther +
                             " ssh-ed25519 CCCC\n|1|hash|hash ssh-rsa DDDD\n \t odd\r\n";
  const std::string pins = kUuid + " ssh-ed25519 NEW1\n" + kUuid + " ssh-rsa NEW2\n";
  struct {
    const char* what;
    std::string before, after;
  } const cases[] = {
      {"nothing", "", pins},
      {"others alone", others, others + pins},
      {"old ones at the end", others + kUuid + " ssh-rsa OLD\n", others + pins},
      {"old ones first", kUuid + " ssh-rsa OLD\n" + others, others + pins},
      {"old ones between", others + kUuid + " a b\n" + others + kUuid + " c d\n", others + others + pins},
      {"only old ones", kUuid + " ssh-rsa OLD\n", pins},
      {"old ones without a newline", others + kUuid + " ssh-rsa OLD", others + pins},
      {"others without a newline", "web01 ssh-rsa AAAA", "web01 ssh-rsa AAAA\n" + pins},
      {"an empty line", "\n", "\n" + pins},
      {"the UUID elsewhere in a line", "web01," + kUuid + " ssh-rsa A\n# " + kUuid + " b\n" + kUuid + "0 ssh-rsa C\n",
       "web01," + kUuid + " ssh-rsa A\n# " + kUuid + " b\n" + kUuid + "0 ssh-rsa C\n" + pins},
  };
  for (const auto& one : cases) {
    const std::string after = with_pins(one.before, kUuid, {"ssh-ed25519 NEW1", "ssh-rsa NEW2"});
    EXPECT_EQ(after, one.after) << one.what;
    EXPECT_EQ(with_pins(after, kUuid, {"ssh-ed25519 NEW1", "ssh-rsa NEW2"}), after) << one.what << ", again";
  }
}

TEST(HostPins, OfNoKeysAreGone) {
  EXPECT_EQ(with_pins(kOther + " a b\n" + kUuid + " c d\n", kUuid, {}), kOther + " a b\n");
  EXPECT_EQ(with_pins(kUuid + " c d", kUuid, {}), "");
}

}  // namespace
}  // namespace muster::cli
