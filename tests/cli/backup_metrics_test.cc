#include "cli/backup_metrics.h"

#include <gtest/gtest.h>

namespace muster::cli {
namespace {

const BackupOutcome kGood{.name = "web01",
                          .attempt = 1000,
                          .status = 0,
                          .success = BackupSuccess{.bytes_read = 10,
                                                   .bytes_new = 5,
                                                   .bytes_stored = 3,
                                                   .duration = 1.5,
                                                   .consistency = "crash",
                                                   .whole_disks = 2}};

RunOutcome of(std::vector<BackupOutcome> machines) { return {.machines = std::move(machines)}; }

bool has(const std::string& text, const std::string& line) {
  return text.find("\n" + line + "\n") != std::string::npos;
}

TEST(BackupMetrics, ASuccessHasAll) {
  const std::string text = backup_metrics_text(of({kGood}), "");
  EXPECT_TRUE(has(text, "muster_backup_last_attempt_timestamp_seconds{name=\"web01\"} 1000.000")) << text;
  EXPECT_TRUE(has(text, "muster_backup_last_success_timestamp_seconds{name=\"web01\"} 1000.000"));
  EXPECT_TRUE(has(text, "muster_backup_last_status{name=\"web01\"} 0"));
  EXPECT_TRUE(has(text, "muster_backup_last_bytes_read{name=\"web01\"} 10"));
  EXPECT_TRUE(has(text, "muster_backup_last_bytes_new{name=\"web01\"} 5"));
  EXPECT_TRUE(has(text, "muster_backup_last_bytes_stored{name=\"web01\"} 3"));
  EXPECT_TRUE(has(text, "muster_backup_last_duration_seconds{name=\"web01\"} 1.500"));
  EXPECT_TRUE(has(text, "# TYPE muster_backup_last_status gauge"));
  EXPECT_TRUE(has(text, "muster_backup_last_disks_read_whole{name=\"web01\"} 2"));
  EXPECT_TRUE(has(text, "muster_backup_last_consistency{name=\"web01\",consistency=\"crash\"} 1"));
}

TEST(BackupMetrics, AFailureKeepsWhatIsKnownOfTheLastSuccess) {
  const std::string text =
      backup_metrics_text(of({{.name = "web01", .attempt = 2000, .status = 12}}), backup_metrics_text(of({kGood}), ""));
  EXPECT_TRUE(has(text, "muster_backup_last_attempt_timestamp_seconds{name=\"web01\"} 2000.000")) << text;
  EXPECT_TRUE(has(text, "muster_backup_last_status{name=\"web01\"} 12"));
  EXPECT_TRUE(has(text, "muster_backup_last_success_timestamp_seconds{name=\"web01\"} 1000.000"));
  EXPECT_TRUE(has(text, "muster_backup_last_bytes_new{name=\"web01\"} 5"));
  EXPECT_TRUE(has(text, "muster_backup_last_consistency{name=\"web01\",consistency=\"crash\"} 1")) << text;
}

TEST(BackupMetrics, WithoutAnySuccessThereIsNoTimeOfOne) {
  const BackupOutcome failed{.name = "web01", .attempt = 2000, .status = 1};
  EXPECT_EQ(backup_metrics_text(of({failed}), "").find("last_success"), std::string::npos);
  EXPECT_EQ(backup_metrics_text(of({failed}), "no metrics\n# at all").find("last_success"), std::string::npos);
  const std::string of_another = backup_metrics_text(of({kGood}), "");
  EXPECT_EQ(backup_metrics_text(of({{.name = "web0", .attempt = 1, .status = 1}}), of_another).find("last_success"),
            std::string::npos);
}

TEST(BackupMetrics, OfSeveralMachinesEachMetricStandsTogether) {
  BackupOutcome other = kGood;
  other.name = "web02";
  const std::string text = backup_metrics_text(of({kGood, other}), "");
  EXPECT_TRUE(has(text,
                  "muster_backup_last_status{name=\"web01\"} 0\n"
                  "muster_backup_last_status{name=\"web02\"} 0"))
      << text;
  EXPECT_EQ(text.find("# TYPE muster_backup_last_status"), text.rfind("# TYPE muster_backup_last_status"));
}

TEST(BackupMetrics, RunsThatWereSkippedAddUp) {
  RunOutcome run = of({kGood});
  EXPECT_EQ(backup_metrics_text(run, "").find("muster_backup_job"), std::string::npos) << "no job";
  run.job = {.name = "nightly", .skipped = 2, .status = 3, .duration = 7};
  const std::string first = backup_metrics_text(run, "");
  EXPECT_TRUE(has(first, "muster_backup_job_skipped_total{job=\"nightly\"} 2")) << first;
  EXPECT_TRUE(has(first, "muster_backup_job_last_status{job=\"nightly\"} 3"));
  EXPECT_TRUE(has(first, "# TYPE muster_backup_job_skipped_total counter"));
  run.job.skipped = 1;
  EXPECT_TRUE(has(backup_metrics_text(run, first), "muster_backup_job_skipped_total{job=\"nightly\"} 3"));
  EXPECT_TRUE(has(backup_metrics_text(run, "muster_backup_job_skipped_total{job=\"nightly\"} x\n"),
                  "muster_backup_job_skipped_total{job=\"nightly\"} 1"));
}

TEST(BackupMetrics, NamesAreQuoted) {
  const std::string text = backup_metrics_text(of({{.name = "a\"b\\c", .attempt = 1, .status = 1}}), "");
  EXPECT_TRUE(has(text, "muster_backup_last_status{name=\"a\\\"b\\\\c\"} 1")) << text;
}

}  // namespace
}  // namespace muster::cli
