#include "disk/byte_ranges.h"

#include <limits>

#include "tests/disk/support.h"

namespace muster::disk {
namespace {

using base::Code;

TEST(ByteRanges, RangesThatTouchAreOne) {
  RangeList list;
  for (const ByteRange range : {ByteRange{0, 10}, {10, 5}, {20, 0}, {30, 1}}) list.add(range);
  EXPECT_EQ(list.take(), (std::vector<ByteRange>{{0, 15}, {30, 1}}));
}

TEST(ByteRanges, AFullListTakesInTheRest) {
  RangeList list(2);
  for (const ByteRange range : {ByteRange{0, 1}, {10, 1}, {20, 1}, {30, 1}}) list.add(range);
  EXPECT_EQ(list.take(), (std::vector<ByteRange>{{0, 1}, {10, 21}}));
}

TEST(ByteRanges, WhatGoesBeyondTheEndIsRefused) {
  check_within("d", {10, 0}, 10);
  check_within("d", {0, 10}, 10);
  expect_error(Code::io, "beyond its end", [] { check_within("d", {1, 10}, 10); });
  expect_error(Code::io, "beyond its end", [] { check_within("d", {11, 0}, 10); });
  expect_error(Code::io, "beyond its end", [] {
    check_within("d", {5, std::numeric_limits<std::uint64_t>::max()}, 10);
  });
}

TEST(ByteRanges, BlocksAreTouchedAndCovered) {
  EXPECT_EQ(touched_blocks({5, 1}, 4), (ByteRange{4, 4}));
  EXPECT_EQ(touched_blocks({4, 8}, 4), (ByteRange{4, 8}));
  EXPECT_EQ(touched_blocks({5, 0}, 4), (ByteRange{5, 0}));
  EXPECT_EQ(covered_blocks({3, 7}, 4), (ByteRange{4, 4}));
  EXPECT_EQ(covered_blocks({5, 2}, 4).length, 0U);
}

TEST(ByteRanges, EdgesAndInnerMakeTheWhole) {
  EXPECT_EQ(edges({3, 7}, covered_blocks({3, 7}, 4)), (std::vector<ByteRange>{{3, 1}, {8, 2}}));
  EXPECT_EQ(edges({5, 2}, covered_blocks({5, 2}, 4)), (std::vector<ByteRange>{{5, 2}}));
  EXPECT_TRUE(edges({4, 8}, {4, 8}).empty());
}

}  // namespace
}  // namespace muster::disk
