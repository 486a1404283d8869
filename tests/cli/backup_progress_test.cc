#include "cli/backup_progress.h"

#include <gtest/gtest.h>

namespace muster::cli {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kMega = 1U << 20U;
const auto kStart = std::chrono::steady_clock::time_point();

TEST(BackupProgressText, TellsRateAndTimeLeftByTheLastSeconds) {
  EXPECT_EQ(progress_text({kStart, 100 * kMega, 1000 * kMega}, {kStart + 10s, 200 * kMega, 1000 * kMega}),
            "200M of 1000M (20%), 10M/s, 1m20s left");
}

TEST(BackupProgressText, WithoutARateItTellsHowMuch) {
  EXPECT_EQ(progress_text({kStart, 0, 0}, {kStart, 0, 0}), "");
  EXPECT_EQ(progress_text({kStart, kMega, 4 * kMega}, {kStart, kMega, 4 * kMega}), "1M of 4M (25%)");
}

TEST(BackupProgressText, WhatIsNoBytesIsNamed) {
  using Unit = backup::Progress::Unit;
  EXPECT_EQ(progress_text({kStart, 0, 400, Unit::packs}, {kStart + 1s, 100, 400, Unit::packs}),
            "100 of 400 packs (25%), 3s left");
  EXPECT_EQ(progress_text({kStart, 1, 2, Unit::chunks}, {kStart, 1, 2, Unit::chunks}), "1 of 2 chunks (50%)");
}

TEST(BackupProgressText, IsNeverBeyondTheEnd) {
  EXPECT_EQ(progress_text({kStart, 0, kMega}, {kStart + 1s, 2 * kMega, kMega}), "2M of 2M (100%), 2M/s, 0s left");
}

}  // namespace
}  // namespace muster::cli
