#include "cli/backup_point.h"

#include <cstdlib>
#include <ctime>

#include <gtest/gtest.h>

#include "backup/rfc3339.h"
#include "base/error.h"

namespace muster::cli {
namespace {

using backup::ListedPoint;

// Two hours ahead of UTC in summer, one in winter: a zone in which local time is not UTC, nor the same all year.
struct CentralEurope {
  // One thread, and nobody else reads them. NOLINTBEGIN(concurrency-mt-unsafe)
  CentralEurope() {
    ::setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
    ::tzset();
  }
  CentralEurope(const CentralEurope&) = delete;
  CentralEurope& operator=(const CentralEurope&) = delete;
  ~CentralEurope() {
    ::unsetenv("TZ");
    ::tzset();
  }
  // NOLINTEND(concurrency-mt-unsafe)
};

class PointWords : public testing::Test {
 protected:
  static ListedPoint point(const std::string& id, const std::string& name, const std::string& time) {
    ListedPoint listed{.point = {}, .signer = {}, .host = {}, .stored = {}};
    listed.point.id = backup::parse_object_id(id + std::string(32 - id.size(), '0'), "test");
    listed.point.name = name;
    listed.point.time = backup::parse_rfc3339(time, "test");
    for (const char* disk : {"1", "2"}) {
      backup::DiskPoint& added = listed.point.disks.emplace_back();
      added.disk = disk;
    }
    return listed;
  }

  const CentralEurope zone_;
  // By time.
  std::vector<ListedPoint> points_{
      point("ab12cd34", "web01", "2026-11-20T01:00:14Z"), point("ab12ef00", "db", "2026-11-21T01:00:00Z"),
      point("00ff", "web01", "2026-11-22T01:00:14Z"), point("77aa", "web01", "2026-11-22T12:00:00Z")};

  std::string found(const std::string& word) const { return short_id(find_point(points_, word).point.id); }
  std::string complaint(const std::string& word) const {
    try {
      return "found " + found(word);
    } catch (const base::Error& e) {
      EXPECT_EQ(e.code(), base::Code::usage);
      return e.what();
    }
  }
};

TEST_F(PointWords, AnIdIsFoundByItsFirstDigits) {
  EXPECT_EQ(found("00ff"), "00ff0000");
  EXPECT_EQ(found("ab12c"), "ab12cd34");
  EXPECT_EQ(found("77aa" + std::string(28, '0')), "77aa0000");
}

TEST_F(PointWords, WhatIsAmbiguousNamesTheCandidates) {
  EXPECT_EQ(complaint("ab12"),
            "'ab12' is 2 restore points: ab12ef00 (db@2026-11-21T02:00:00), ab12cd34 (web01@2026-11-20T02:00:14)");
}

TEST_F(PointWords, TooFewDigitsAreNoId) {
  EXPECT_TRUE(complaint("77a").starts_with("no restore point '77a'; there are"));
}

TEST_F(PointWords, WhatIsUnknownNamesWhatThereIs) {
  EXPECT_TRUE(
      complaint("beef").starts_with("no restore point 'beef'; there are 77aa0000 (web01@2026-11-22T13:00:00), "));
  EXPECT_EQ(complaint("web1@latest").substr(0, 28), "no restore point of 'web1'; ");
  EXPECT_TRUE(complaint("web1@latest").find("'web01'") != std::string::npos) << complaint("web1@latest");
  EXPECT_EQ(complaint("something@latest"), "no restore point of 'something': there are those of db, web01");
  EXPECT_EQ(complaint("web01@2026-11-01"),
            "no restore point of 'web01' is that old; there are 77aa0000 (web01@2026-11-22T13:00:00), 00ff0000 "
            "(web01@2026-11-22T02:00:14), ab12cd34 (web01@2026-11-20T02:00:14)");
}

TEST_F(PointWords, ANameAloneIsToldHowToGoOn) {
  EXPECT_EQ(complaint("web01"), "'web01' is a machine: write web01@latest, or web01@TIME");
}

TEST_F(PointWords, WithoutAnyPointItSaysSo) {
  points_.clear();
  EXPECT_EQ(complaint("ab12"), "no restore point 'ab12': there are none yet");
  EXPECT_EQ(complaint("web01@latest"), "no restore point of 'web01': muster backup list shows all");
}

TEST_F(PointWords, LatestIsTheLastOfThatName) {
  EXPECT_EQ(found("web01@latest"), "77aa0000");
  EXPECT_EQ(found("db@latest"), "ab12ef00");
}

TEST_F(PointWords, ATimeIsTheLastOneNotAfterIt) {
  EXPECT_EQ(found("web01@2026-11-22"), "77aa0000") << "the end of the day";
  EXPECT_EQ(found("web01@2026-11-21"), "ab12cd34");
  EXPECT_EQ(found("web01@2026-11-22T02:00"), "00ff0000") << "the end of the minute, in local time";
  EXPECT_EQ(found("web01@2026-11-22T01:59"), "ab12cd34");
  EXPECT_EQ(found("web01@2026-11-22T02:00:13"), "ab12cd34");
  EXPECT_EQ(found("web01@2026-11-22T02:00:14"), "00ff0000");
  EXPECT_EQ(found("web01@2026-11-22T01:00Z"), "00ff0000") << "UTC";
  EXPECT_EQ(found("web01@2026-11-22T12:00:00Z"), "77aa0000");
}

TEST_F(PointWords, TimesOfTheYearHaveTheirOwnZone) {
  EXPECT_EQ(backup::rfc3339(parse_point_time("2026-07-01T02:00:30")), "2026-07-01T00:00:30Z");
  EXPECT_EQ(backup::rfc3339(parse_point_time("2026-12-01T02:00:30")), "2026-12-01T01:00:30Z");
  EXPECT_EQ(backup::rfc3339(parse_point_time("2026-12-01")), "2026-12-01T22:59:59Z");
  EXPECT_EQ(backup::rfc3339(parse_point_time("2026-12-01Z")), "2026-12-01T23:59:59Z");
  EXPECT_EQ(local_time(parse_point_time("2026-07-01T02:00:30")), "2026-07-01T02:00:30");
}

TEST_F(PointWords, WhatIsNoTimeIsToldHowToWriteOne) {
  for (const char* text : {"", "yesterday", "2026-02-30", "2026-13-01", "2026-11-22T", "2026-11-22T25:00",
                           "2026-11-22T02:60", "2026-11-22 02:00", "latest2"})
    EXPECT_THROW(parse_point_time(text), base::Error) << text;
  EXPECT_TRUE(complaint("web01@yesterday").starts_with("'yesterday' is no time: write latest, 2026-11-22 "));
}

struct Split {
  const char *word, *point, *disk, *path;
};
// Otherwise the tests' names hold addresses, and differ from run to run.
void PrintTo(const Split& split, std::ostream* out) { *out << split.word; }

class PointWordParts : public PointWords, public testing::WithParamInterface<Split> {};

TEST_P(PointWordParts, AreFoundAtTheirColons) {
  const auto parsed = parse_point_word(GetParam().word);
  EXPECT_EQ(parsed.point, GetParam().point);
  EXPECT_EQ(parsed.disk.value_or("-"), GetParam().disk);
  EXPECT_EQ(parsed.path.value_or("-"), GetParam().path);
}

INSTANTIATE_TEST_SUITE_P(Words, PointWordParts,
                         testing::Values(Split{"ab12", "ab12", "-", "-"}, Split{"ab12:1", "ab12", "1", "-"},
                                         Split{"ab12:vda:/etc/a:b", "ab12", "vda", "/etc/a:b"},
                                         Split{"web01@latest:2", "web01@latest", "2", "-"},
                                         Split{"web01@2026-11-22:2", "web01@2026-11-22", "2", "-"},
                                         Split{"web01@2026-11-22T02:00", "web01@2026-11-22T02:00", "-", "-"},
                                         Split{"web01@2026-11-22T02:00:2", "web01@2026-11-22T02:00", "2", "-"},
                                         Split{"web01@2026-11-22T02:00:10", "web01@2026-11-22T02:00:10", "-", "-"},
                                         Split{"web01@2026-11-22T02:00:00:10", "web01@2026-11-22T02:00:00", "10", "-"},
                                         Split{"web01@2026-11-22T02:00Z:10", "web01@2026-11-22T02:00Z", "10", "-"},
                                         Split{"web01@2026-11-22T02:00:14Z:1:/etc", "web01@2026-11-22T02:00:14Z", "1",
                                               "/etc"}));

TEST_F(PointWords, EmptyPartsAreErrors) {
  for (const char* word : {"", ":1", "ab12:", "ab12::/etc"}) EXPECT_THROW(parse_point_word(word), base::Error) << word;
}

TEST_F(PointWords, ADiskIsFoundByItsName) {
  EXPECT_EQ(find_disk(points_[0], "2").disk, "2");
  EXPECT_THROW(find_disk(points_[0], "3"), base::Error);
  EXPECT_THROW(find_disk(points_[0], std::nullopt), base::Error) << "which of two?";
  points_[0].point.disks.pop_back();
  EXPECT_EQ(find_disk(points_[0], std::nullopt).disk, "1");
}

TEST_F(PointWords, AsManyDigitsAsTellThemApart) {
  EXPECT_EQ(digits_needed(points_), 8U);
  points_.push_back(point("ab12cd345", "web01", "2026-11-23T00:00:00Z"));
  EXPECT_EQ(digits_needed(points_), 9U);
  EXPECT_EQ(digits_needed({}), 8U);
}

}  // namespace
}  // namespace muster::cli
