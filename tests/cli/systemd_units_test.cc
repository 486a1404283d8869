#include "cli/systemd_units.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace muster::cli {
namespace {

TEST(SystemdUnits, WordsReachTheProgramAsTheyAre) {
  const auto units =
      systemd_units("nightly", "*-*-* 02:30", {"/usr/bin/muster", "backup", "a b", "50%", "$HOME", "\"q\\"});
  EXPECT_NE(units.service.find("ExecStart=\"/usr/bin/muster\" \"backup\" \"a b\" \"50%%\" \"$$HOME\" \"\\\"q\\\\\"\n"),
            std::string::npos)
      << units.service;
  EXPECT_EQ(calendar_of(units.timer), "*-*-* 02:30");
  EXPECT_THROW(systemd_units("x", "daily\nExecStart=evil", {"a"}), base::Error);
  EXPECT_THROW(systemd_units("x", "daily", {"a\nb"}), base::Error);
}

}  // namespace
}  // namespace muster::cli
