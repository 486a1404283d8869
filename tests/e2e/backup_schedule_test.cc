// muster backup schedule: what cron and systemd read, run by the real cron daemon; runs beside each other, metrics.
#include <filesystem>

#include <sys/stat.h>

#include "tests/e2e/backup_fixture.h"
#include "tests/e2e/process_table.h"

namespace muster::e2e {
namespace {

namespace fs = std::filesystem;

class BackupSchedule : public BackupTest {
 protected:
  BackupSchedule() : image_(make_image("disk.raw", 100'000)) { make_repository(); }

  Words schedule(const Words& more) const {
    Words words{"schedule", "--name", "nightly", "--key-file", usual_key_file()};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }
  Words image_words(const Words& more = {}) const {
    Words words{"--", "--name", "web01", "--image", image_};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }
  // By anybody, with flock(2): the kernel's table has its inode.
  bool is_locked(const std::string& path) const {
    struct stat facts {};
    return ::stat(path.c_str(), &facts) == 0 && contains(read("/proc/locks"), ":" + std::to_string(facts.st_ino) + " ");
  }
  static Words joined(Words first, const Words& second) {
    first.insert(first.end(), second.begin(), second.end());
    return first;
  }

  const std::string image_;
};

TEST_F(BackupSchedule, PrintedItIsWhatCronWouldRun) {
  const auto shown =
      expect(0, schedule(joined({"--cron", "30 2 * * *", "--print"}, image_words({"--keep-daily", "7"}))));
  EXPECT_TRUE(contains(shown.out, "\n30 2 * * * ")) << told(shown);
  EXPECT_TRUE(contains(shown.out, " backup create --quiet --job nightly -R " + repository())) << told(shown);
  EXPECT_TRUE(contains(shown.out, "--image " + image_ + " --keep-daily 7\n")) << told(shown);
  const auto units = expect(0, schedule(joined({"--systemd=*-*-* 03:00", "--print"}, image_words())));
  EXPECT_TRUE(contains(units.out, "OnCalendar=*-*-* 03:00")) << told(units);
  EXPECT_TRUE(contains(units.out, "ExecStart=\"")) << told(units);
}

TEST_F(BackupSchedule, MistakesAreToldNowAndNotAtNight) {
  expect(2, schedule(joined({"--cron", "at night", "--print"}, image_words())));
  expect(2, schedule(joined({"--cron", "@daily", "--print"}, image_words({"--keep-daily", "many"}))));
  expect(2, schedule(joined({"--cron", "@daily", "--print"}, image_words({"--no-such-option"}))));
  expect(2, schedule({"--cron", "@daily", "--print"}));
  expect(2, schedule(joined({"--print"}, image_words())));
  expect(2, joined({"schedule", "--name", "../x", "--cron", "@daily", "--print"}, image_words()));
}

TEST_F(BackupSchedule, ARunBesideAnotherIsSkippedAndCounted) {
  const std::string large = make_image("large.raw", 4U << 20);
  const std::string job = "test-" + std::to_string(::getpid());
  const Words loud{"create", "--job", job, "--metrics", file("m.prom"), "--name", "web01", "--image"};
  MusterProcess first(backup_command(joined(loud, {large, "--limit-rate", "1M"})));
  // To ask by a run that would be skipped could make the first one that.
  const std::string lock = "/run/muster/job-" + job + ".lock";
  ASSERT_TRUE(wait_until([&] { return is_locked(lock); })) << first.err();
  const Words words = joined(loud, {image_});
  const auto skipped = expect(0, joined(words, {"--json"}));
  EXPECT_TRUE(contains(skipped.out, "skipped")) << told(skipped);
  const auto silent = expect(0, joined(words, {"-q"}));
  EXPECT_EQ(silent.out + silent.err, "");
  EXPECT_EQ(first.finish().code, 0) << first.err();
  const std::string metrics = read(file("m.prom"));
  EXPECT_TRUE(contains(metrics, "muster_backup_job_skipped_total{job=\"" + job + "\"} ")) << metrics;
  EXPECT_FALSE(contains(metrics, "muster_backup_job_skipped_total{job=\"" + job + "\"} 0")) << metrics;
  EXPECT_TRUE(contains(metrics, "muster_backup_job_last_status{job=\"" + job + "\"} 0")) << metrics;
  fs::remove(lock);
}

TEST_F(BackupSchedule, ARunThatFailsBeforeItBeginsIsInTheMetricsToo) {
  Words words{"create", "-q", "--job", "early", "--metrics", file("m.prom")};
  expect(0, joined(words, {"--name", "web01", "--image", image_}));
  const std::string nobody = "qemu+unix:///system?socket=/nobody#web01";
  EXPECT_EQ(backup(joined(words, {nobody, "-R", file("nowhere")})).code, 10);
  const std::string metrics = read(file("m.prom"));
  EXPECT_TRUE(contains(metrics, "muster_backup_last_status{name=\"web01\"} 10")) << metrics;
  EXPECT_TRUE(contains(metrics, "muster_backup_last_success_timestamp_seconds{name=\"web01\"}")) << metrics;
  EXPECT_TRUE(contains(metrics, "muster_backup_job_last_status{job=\"early\"} 10")) << metrics;
  EXPECT_EQ(backup(joined(words, {nobody})).code, 15);
  EXPECT_TRUE(contains(read(file("m.prom")), "muster_backup_last_status{name=\"web01\"} 15"));
}

// In namespaces of their own: the machine's crontabs and mail are not touched. Two jobs, one of which fails.
TEST_F(BackupSchedule, TheRealCronRunsItSilentlyUnlessItFails) {
  if (!is_root()) GTEST_SKIP() << "cron's tables are root's";
  ASSERT_EQ(run({.argv = {"sh", "-c", "command -v cron"}}).code, 0) << "cron is not installed";
  for (const char* name : {"cron.d", "spool", "run", "upper", "work"}) fs::create_directory(file(name));
  const std::string muster = program("muster");
  write(file("upper/sendmail"), "#!/bin/sh\ncat >>" + file("mail") + "\n", 0755);
  const auto line = [&](const std::string& name, const Words& words) {
    std::string text = muster + " backup schedule -q --name " + name + " --cron '* * * * *' -R " + repository() +
                       " --key-file " + usual_key_file() + " --";
    for (const auto& word : words) text += " '" + word + "'";
    return text + "\n";
  };
  write(file("run.sh"),
        "set -e\n"
        "mount --bind " +
            file("cron.d") +
            " /etc/cron.d\n"
            "mount --bind " +
            file("spool") +
            " /var/spool/cron\n"
            "mount --bind " +
            file("run") +
            " /run\n"
            "mount -t overlay overlay -o lowerdir=/usr/sbin,upperdir=" +
            file("upper") + ",workdir=" + file("work") + " /usr/sbin\n" +
            line("good", {"--name", "50% good", "--image", image_, "--metrics", file("good.prom")}) +
            line("bad", {"--name", "bad", "--image", file("missing.raw"), "--metrics", file("bad.prom")}) + muster +
            " backup schedule --list >" + file("list") +
            "\n"
            "exec cron -f -L 5\n");
  MusterProcess cron(
      {.argv = {"unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", file("run.sh")},
       .environment = {"HOME=" + home()},
       .deadline = std::chrono::seconds(110)});
  EXPECT_TRUE(wait_until([&] { return fs::exists(file("good.prom")) && fs::exists(file("bad.prom")); }, 90'000))
      << cron.err();
  EXPECT_TRUE(
      wait_until([&] { return fs::exists(file("mail")) && contains(read(file("mail")), "missing.raw"); }, 5'000));
  cron.signal(SIGKILL);
  cron.finish();
  EXPECT_TRUE(contains(read(file("list")), "good: * * * * *, in /etc/cron.d/muster-good")) << read(file("list"));
  const std::string mail = read(file("mail"));
  EXPECT_FALSE(contains(mail, "good.prom") || contains(mail, "50% good")) << mail;
  EXPECT_EQ(points().at(0).value("name", ""), "50% good");
  EXPECT_TRUE(contains(read(file("bad.prom")), "muster_backup_last_status{name=\"bad\"} 2")) << read(file("bad.prom"));
}

}  // namespace
}  // namespace muster::e2e
