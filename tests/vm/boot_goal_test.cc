// How far a machine is to come, and what its console says of that.
#include "vm/boot_goal.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "vm/boot_check.h"

namespace muster::vm {
namespace {

TEST(BootGoal, IsReadAsItIsWritten) {
  for (const char* text : {"agent", "ssh", "serial:login:", "serial:^web\\d+ login"})
    EXPECT_EQ(parse_boot_goal(text).text(), text);
  for (const char* text : {"", "serial:", "serial", "Agent", "port:22", "serial:("})
    EXPECT_THROW(parse_boot_goal(text), base::Error) << text;
}

TEST(BootGoal, MatchesLineByLine) {
  const auto goal = parse_boot_goal("serial:^web01 login:$");
  EXPECT_TRUE(any_line_matches(goal, "GRUB\r\nweb01 login:\r\n"));
  EXPECT_TRUE(any_line_matches(goal, "web01 login:")) << "its end is still to come";
  EXPECT_FALSE(any_line_matches(goal, "GRUB web01 login:\r\n"));
  EXPECT_FALSE(any_line_matches(goal, ""));
}

TEST(BootGoal, LongLinesAndHeavyExpressionsEndInTime) {
  const auto goal = parse_boot_goal("serial:(a+)+b");
  EXPECT_FALSE(any_line_matches(goal, std::string(200'000, 'a')));
}

TEST(BootCheck, AKernelIsKnownByWhatItSays) {
  EXPECT_TRUE(kernel_spoke("SeaBIOS\r\n[    0.000000] Linux version 6.1.0"));
  EXPECT_FALSE(kernel_spoke("SeaBIOS (version 1.16)\r\nBooting from Hard Disk...\r\n"));
}

}  // namespace
}  // namespace muster::vm
