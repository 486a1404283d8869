#include "cli/backup_progress.h"

#include <gtest/gtest.h>

namespace muster::cli {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kMega = 1U << 20U;
const auto kStart = std::chrono::steady_clock::time_point();

TEST(BackupProgressText, TellsRateAndTimeLeftByTheLastSeconds) {
  EXPECT_EQ(progress_text("web01", {kStart, 100 * kMega, 1000 * kMega}, {kStart + 10s, 200 * kMega, 1000 * kMega}),
            "web01: 200M of 1000M (20%), 10M/s, 1m20s left");
}

TEST(BackupProgressText, WithoutARateItTellsHowMuch) {
  EXPECT_EQ(progress_text("web01", {kStart, 0, 0}, {kStart, 0, 0}), "web01");
  EXPECT_EQ(progress_text("web01", {kStart, kMega, 4 * kMega}, {kStart, kMega, 4 * kMega}), "web01: 1M of 4M (25%)");
  EXPECT_EQ(progress_text("web01", {kStart, 3 * kMega, 4 * kMega}, {kStart + 1s, kMega, 4 * kMega}),
            "web01: 1M of 4M (25%)")
      << "begun anew";
}

TEST(BackupProgressText, IsNeverBeyondTheEnd) {
  EXPECT_EQ(progress_text("check", {kStart, 0, kMega}, {kStart + 1s, 2 * kMega, kMega}),
            "check: 2M of 2M (100%), 2M/s, 0s left");
}

}  // namespace
}  // namespace muster::cli
