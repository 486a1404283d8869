#include "cli/cron_table.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace muster::cli {
namespace {

const CronJob kJob{
    .name = "nightly", .expression = "30 2 * * *", .command = "muster backup create all", .user = "root"};

TEST(CronTable, ExpressionsThatCronTakesAndNoOthers) {
  for (const char* good : {"30 2 * * *", "*/5 * * * mon-fri", "0,30 1-3 1 jan 0", "@daily", "@hourly"})
    EXPECT_NO_THROW(check_cron_expression(good)) << good;
  for (const char* bad : {"", "daily", "* * * *", "* * * * * *", "@never", "0 2 * * * root", "0 2 * * $(x)",
                          "0 2 * * \n", "99 2 * * *", "run it at two nightly", "0 2 * * *\n", "0 24 * * *", "0 2 0 * *",
                          "5/2 * * * *", "0 2 * foo *", "0,, 2 * * *", "0 2 * * 1-"})
    EXPECT_THROW(check_cron_expression(bad), base::Error) << bad;
}

TEST(CronTable, JobsHaveNamesThatCronReads) {
  EXPECT_NO_THROW(check_job_name("web-nightly_2"));
  for (const char* bad : {"", "a.b", "a b", "../x", "a\n"}) EXPECT_THROW(check_job_name(bad), base::Error) << bad;
}

TEST(CronTable, WordsReachTheShellAsTheyAre) {
  EXPECT_EQ(cron_command({"/usr/bin/muster", "backup", "create", "web*", "--tag", "it's", "--metrics", "/a b", "50%"}),
            "/usr/bin/muster backup create 'web*' --tag 'it'\\''s' --metrics '/a b' '50\\%'");
  EXPECT_EQ(cron_command({""}), "''");
  EXPECT_THROW(cron_command({"a\nb"}), base::Error);
}

TEST(CronTable, ABlockIsFoundReplacedAndTakenOut) {
  const std::string others = "MAILTO=me\n# mine\n0 1 * * * true\n";
  const std::string table = with_job(others, kJob);
  EXPECT_TRUE(table.starts_with(others));
  auto jobs = jobs_in(table, true);
  ASSERT_EQ(jobs.size(), 1U);
  EXPECT_EQ(jobs[0].name, "nightly");
  EXPECT_EQ(jobs[0].expression, "30 2 * * *");
  EXPECT_EQ(jobs[0].user, "root");
  EXPECT_EQ(jobs[0].command, "muster backup create all");
  CronJob daily = kJob;
  daily.expression = "@daily";
  daily.user.clear();
  const std::string replaced = with_job(table, daily);
  jobs = jobs_in(replaced, false);
  ASSERT_EQ(jobs.size(), 1U);
  EXPECT_EQ(jobs[0].expression, "@daily");
  EXPECT_EQ(jobs[0].command, "muster backup create all");
  EXPECT_EQ(without_job(replaced, "nightly"), others);
  EXPECT_EQ(without_job(replaced, "night"), replaced);
  const std::string broken = replaced.substr(0, replaced.find("# end")) + "0 1 * * * mine\n";
  EXPECT_THROW(without_job(broken, "nightly"), base::Error) << "what is somebody else's is not dropped";
}

}  // namespace
}  // namespace muster::cli
