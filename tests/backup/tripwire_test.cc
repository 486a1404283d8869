#include "backup/tripwire.h"

#include <gtest/gtest.h>

namespace muster::backup {
namespace {

constexpr std::uint64_t kMiB = 1U << 20;

RestorePoint night(std::uint64_t mib, double compressed, bool first = false) {
  RestorePoint point;
  if (!first) point.parent = ObjectId{};
  point.bytes_new = mib * kMiB;
  point.bytes_stored = static_cast<std::uint64_t>(static_cast<double>(point.bytes_new) * compressed);
  return point;
}

const std::vector<RestorePoint> kHistory{night(10'000, 0.4, true), night(20, 0.4), night(35, 0.5), night(25, 0.3),
                                         night(22, 0.45)};

TEST(Tripwire, AJumpThatDoesNotCompressIsTold) {
  const auto why = looks_encrypted(kHistory, night(900, 0.999));
  ASSERT_TRUE(why);
  EXPECT_EQ(*why, "900 MiB are new, where 25 MiB are usual, and they compress to 100 %, where 45 % is usual");
}

TEST(Tripwire, OneOfTheTwoAloneIsNothing) {
  EXPECT_FALSE(looks_encrypted(kHistory, night(900, 0.5))) << "an upgrade";
  EXPECT_FALSE(looks_encrypted(kHistory, night(60, 0.999))) << "some photographs";
  EXPECT_FALSE(looks_encrypted(kHistory, night(10, 0.999))) << "little";
}

TEST(Tripwire, WithoutAHabitNothingIsKnown) {
  EXPECT_FALSE(looks_encrypted({}, night(900, 0.999, true)));
  EXPECT_FALSE(looks_encrypted({night(10'000, 0.4, true), night(20, 0.4), night(20, 0.4)}, night(900, 0.999)));
  const std::vector<RestorePoint> films{night(9, 1, true), night(20, 0.99), night(30, 0.98), night(25, 1)};
  EXPECT_FALSE(looks_encrypted(films, night(900, 0.999))) << "it never compressed";
  const std::vector<RestorePoint> quiet{night(9, 1, true), night(0, 0), night(0, 0), night(0, 0)};
  EXPECT_FALSE(looks_encrypted(quiet, night(900, 0.999))) << "nothing was ever written";
}

}  // namespace
}  // namespace muster::backup
