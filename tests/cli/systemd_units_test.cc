#include "cli/systemd_units.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace muster::cli {
namespace {

TEST(SystemdUnits, WordsReachTheProgramAsTheyAre) {
  SystemdJob job{.job = "nightly",
                 .calendar = "*-*-* 02:30",
                 .directory = "/home/50%",
                 .words = {"/usr/bin/muster", "backup", "a b", "50%", "$HOME", "\"q\\"}};
  const auto units = systemd_units(job);
  EXPECT_NE(units.service.find("ExecStart=\"/usr/bin/muster\" \"backup\" \"a b\" \"50%%\" \"$$HOME\" \"\\\"q\\\\\"\n"),
            std::string::npos)
      << units.service;
  EXPECT_NE(units.service.find("WorkingDirectory=/home/50%%\n"), std::string::npos);
  EXPECT_EQ(calendar_of(units.timer), "*-*-* 02:30");
  job.words = {"a\nb"};
  EXPECT_THROW(systemd_units(job), base::Error);
  job.words = {"a"};
  job.calendar = "daily\nExecStart=evil";
  EXPECT_THROW(systemd_units(job), base::Error);
}

}  // namespace
}  // namespace muster::cli
