#include "base/quantity.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace muster::base {
namespace {

using std::chrono::milliseconds;

TEST(Quantity, SizesArePowersOf1024) {
  EXPECT_EQ(parse_size("512"), 512U);
  EXPECT_EQ(parse_size("20G"), 20ULL << 30);
  EXPECT_EQ(parse_size("1k"), 1024U);
  for (const char* bad : {"", "G", "-1", "1.5G", "1Gi", "99999999999T", " 1"})
    EXPECT_THROW(parse_size(bad), Error) << bad;
}

TEST(Quantity, DurationsHaveUnits) {
  EXPECT_EQ(parse_duration("90s"), milliseconds(90'000));
  EXPECT_EQ(parse_duration("5m"), milliseconds(300'000));
  EXPECT_EQ(parse_duration("26h"), milliseconds(93'600'000));
  EXPECT_EQ(parse_duration("0.5"), milliseconds(500));
  for (const char* bad : {"", "s", "-1s", "1w", "nan", "inf", "1e300d"})
    EXPECT_THROW(parse_duration(bad), Error) << bad;
}

TEST(Quantity, SharesAreCountsOrPercentages) {
  EXPECT_EQ(parse_share("3", "--serial").of(10), 3U);
  EXPECT_EQ(parse_share("25%", "--serial").of(10), 2U);
  EXPECT_THROW(parse_share("101%", "--serial"), Error);
  EXPECT_THROW(parse_share("%", "--serial"), Error);
}

TEST(Quantity, DurationsReadWell) {
  EXPECT_EQ(format_duration(milliseconds(420)), "0.42s");
  EXPECT_EQ(format_duration(milliseconds(250'000)), "4m10s");
  EXPECT_EQ(format_duration(milliseconds(7'260'000)), "2h01m");
}

}  // namespace
}  // namespace muster::base
