// Where new clones go, by what the hypervisors said.
#include "clone/placement.h"

#include <map>

#include <gtest/gtest.h>

#include "tests/parallel-ssh/support.h"

namespace muster::clone {
namespace {

using base::Code;
using Indices = std::vector<std::size_t>;

constexpr std::uint64_t kGiB = 1ULL << 30;

std::vector<ToPlace> machines(std::size_t count) {
  std::vector<ToPlace> all;
  for (std::size_t i = 0; i < count; ++i) all.push_back({.name = "web" + std::to_string(i)});
  return all;
}

TEST(Placement, GoesByTheGroupThenMemoryThenDisk) {
  struct {
    const char* what;
    std::vector<Place> places;
    Spread spread;
    Demand demand;
    std::size_t count;
    Indices expected;
  } const cases[] = {
      {"without spreading all go to the first", {{.uri = "a"}, {.uri = "b"}}, Spread::no, {}, 3, {0, 0, 0}},
      {"or to the first that has the master",
       {{.uri = "a"}, {.uri = "b", .has_master = true}, {.uri = "c", .has_master = true}},
       Spread::no,
       {},
       2,
       {1, 1}},
      {"however full that is",
       {{.uri = "a", .free_memory_bytes = kGiB}, {.uri = "b", .has_master = true, .of_the_group = 99}},
       Spread::no,
       {.memory_bytes = kGiB},
       2,
       {1, 1}},
      {"alike places take turns",
       {{.uri = "a"}, {.uri = "b"}, {.uri = "c"}},
       Spread::yes,
       {},
       7,
       {0, 1, 2, 0, 1, 2, 0}},
      {"where fewest of the group are",
       {{.uri = "a", .of_the_group = 2}, {.uri = "b"}, {.uri = "c", .of_the_group = 1}},
       Spread::yes,
       {},
       4,
       {1, 1, 2, 0}},
      {"before memory counts",
       {{.uri = "a", .free_memory_bytes = 100 * kGiB, .of_the_group = 1}, {.uri = "b", .free_memory_bytes = kGiB}},
       Spread::yes,
       {.memory_bytes = kGiB},
       3,
       {1, 0, 1}},
      {"then where most memory is",
       {{.uri = "a", .free_memory_bytes = kGiB}, {.uri = "b", .free_memory_bytes = 2 * kGiB}},
       Spread::yes,
       {},
       2,
       {1, 0}},
      {"less what went there",
       {{.uri = "a", .free_memory_bytes = 7 * kGiB},
        {.uri = "b", .free_memory_bytes = 4 * kGiB},
        {.uri = "c", .free_memory_bytes = 5 * kGiB}},
       Spread::yes,
       {.memory_bytes = 4 * kGiB},
       4,
       {0, 2, 1, 0}},
      {"then where most room on the disk is",
       {{.uri = "a", .free_memory_bytes = kGiB, .free_disk_bytes = 5},
        {.uri = "b", .free_memory_bytes = kGiB, .free_disk_bytes = 9}},
       Spread::yes,
       {},
       2,
       {1, 0}},
      {"the master counts for nothing when spreading",
       {{.uri = "a"}, {.uri = "b", .has_master = true}},
       Spread::yes,
       {},
       1,
       {0}},
      {"what is full stays at nothing left",
       {{.uri = "a", .free_memory_bytes = 1}, {.uri = "b", .free_memory_bytes = 2}},
       Spread::yes,
       {.memory_bytes = 3, .disk_bytes = 3},
       4,
       {1, 0, 0, 1}},
      {"nothing to place", {{.uri = "a"}}, Spread::yes, {}, 0, {}},
  };
  for (const auto& one : cases)
    EXPECT_EQ(place(machines(one.count), one.places, one.spread, one.demand), one.expected) << one.what;
}

TEST(Placement, WhatHasToBeSomewhereIsThereAndCountsFirst) {
  const std::vector<Place> places{{.uri = "a"}, {.uri = "b", .has_master = true}, {.uri = "c"}};
  const std::vector<ToPlace> all{
      {.name = "w1"}, {.name = "w2", .uri = "a"}, {.name = "w3"}, {.name = "w4", .uri = "a"}};
  EXPECT_EQ(place(all, places, Spread::yes, {}), (Indices{1, 0, 2, 0}));
  EXPECT_EQ(place(all, places, Spread::no, {}), (Indices{1, 0, 1, 0}));
}

TEST(Placement, NamesWhatBelongsWhereNobodyAsked) {
  for (const auto spread : {Spread::no, Spread::yes}) {
    const auto failure = ssh::failure_of([&] {
      place({{.name = "w1"}, {.name = "w2", .uri = "qemu://elsewhere/system"}}, {{.uri = "a"}}, spread, {});
    });
    EXPECT_TRUE(failure.is(Code::usage, "'w2' belongs on qemu://elsewhere/system")) << failure;
  }
}

TEST(Placement, SpreadsThousandsEvenly) {
  std::vector<Place> places;
  for (int i = 0; i < 20; ++i) places.push_back({.uri = std::to_string(i), .free_memory_bytes = 64 * kGiB});
  std::map<std::size_t, int> counts;
  for (const auto index : place(machines(5000), places, Spread::yes, {.memory_bytes = kGiB})) ++counts[index];
  ASSERT_EQ(counts.size(), 20U);
  for (const auto& [index, count] : counts) EXPECT_EQ(count, 250) << index;
}

}  // namespace
}  // namespace muster::clone
