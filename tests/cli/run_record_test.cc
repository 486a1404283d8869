#include "cli/run_record.h"

#include <gtest/gtest.h>

#include "cli/exit_status.h"
#include "tests/parallel-ssh/support.h"

namespace muster::cli {
namespace {

using base::Code;
using ssh::FleetCounts;
using ssh::HostReport;
using ssh::HostState;
using std::chrono::milliseconds;

HostReport report(std::size_t host, HostState state, std::optional<int> status = {}, const std::string& error = {},
                  const std::string& note = {}) {
  return {.host = host, .state = state, .status = status, .signal = {}, .error = error, .note = note};
}

struct RunRecordTest : testing::Test {
  Console console;
  HostNames names{"web1", "web2", "web3", "db"};

  static void end(RunRecord& record, const HostReport& ended) { record.started(ended.host)->finished(ended); }
  // What `action` writes to standard error.
  template <typename Action>
  static std::string told(Action action) {
    testing::internal::CaptureStderr();
    action();
    return testing::internal::GetCapturedStderr();
  }
};

TEST_F(RunRecordTest, TellsOfEachHostThatIsNotOkAtOnce) {
  RunRecord record(console, names, RunRecord::Telling::everything);
  EXPECT_EQ(told([&] { end(record, report(0, HostState::ok, 0)); }), "");
  EXPECT_EQ(told([&] { end(record, report(1, HostState::failed, 3)); }), "web2: failed: exit status 3\n");
  EXPECT_EQ(told([&] { end(record, report(2, HostState::unreachable, {}, "no \x1b[31mroute")); }),
            "web3: unreachable: no ^[[31mroute\n");
  EXPECT_EQ(told([&] { end(record, report(3, HostState::ok, 0, "", "through a tunnel")); }),
            "db: note: through a tunnel\n");
}

TEST_F(RunRecordTest, QuietTellsFailuresOnlyAndJsonNothing) {
  RunRecord quiet(console, names, RunRecord::Telling::failures_only);
  EXPECT_EQ(told([&] { end(quiet, report(0, HostState::ok, 0, "", "note")); }), "");
  EXPECT_EQ(told([&] { end(quiet, report(1, HostState::timeout, {}, "too slow")); }), "web2: timeout: too slow\n");
  RunRecord silent(console, names, RunRecord::Telling::nothing);
  EXPECT_EQ(told([&] { end(silent, report(1, HostState::failed, 1, "", "note")); }), "");
}

TEST_F(RunRecordTest, ClosingCountsAndNamesFolded) {
  RunRecord record(console, names, RunRecord::Telling::everything);
  told([&] {
    end(record, report(0, HostState::failed, 1));
    end(record, report(1, HostState::failed, 1));
    end(record, report(2, HostState::ok, 0));
  });
  EXPECT_EQ(told([&] { record.skipped(report(3, HostState::skipped, {}, "not started")); }), "");
  EXPECT_EQ(told([&] {
              record.close({.ok = 1, .failed = 2, .unreachable = 0, .timeout = 0, .skipped = 1}, milliseconds(1'500));
            }),
            "4 hosts: 1 ok, 2 failed, 0 unreachable, 0 timed out, 1 skipped in " +
                base::format_duration(milliseconds(1'500)) + "\nfailed: web[1-2]\nskipped: db\n");
}

TEST_F(RunRecordTest, ClosingIsSilentWhenQuietAndAllIsWell) {
  const FleetCounts good{.ok = 4, .failed = 0, .unreachable = 0, .timeout = 0, .skipped = 0};
  const FleetCounts bad{.ok = 3, .failed = 1, .unreachable = 0, .timeout = 0, .skipped = 0};
  RunRecord quiet(console, names, RunRecord::Telling::failures_only);
  EXPECT_EQ(told([&] { quiet.close(good, milliseconds(1)); }), "");
  EXPECT_NE(told([&] { quiet.close(bad, milliseconds(1)); }), "");
  RunRecord silent(console, names, RunRecord::Telling::nothing);
  EXPECT_EQ(told([&] { silent.close(bad, milliseconds(1)); }), "");
  RunRecord everything(console, names, RunRecord::Telling::everything);
  EXPECT_NE(told([&] { everything.close(good, milliseconds(1)); }), "");
}

TEST_F(RunRecordTest, FailedLinesAreAllThatIsNotOkInOrder) {
  RunRecord record(console, names, RunRecord::Telling::nothing);
  EXPECT_EQ(record.failed_lines(), "web1\nweb2\nweb3\ndb\n");  // nothing is known of them yet
  end(record, report(3, HostState::unreachable));
  end(record, report(0, HostState::ok, 0));
  end(record, report(1, HostState::failed, 1));
  record.skipped(report(2, HostState::skipped));
  EXPECT_EQ(record.failed_lines(), "web2\nweb3\ndb\n");
}

TEST_F(RunRecordTest, TheLargestStatusIs255WhereOneIsMissing) {
  RunRecord record(console, names, RunRecord::Telling::nothing);
  EXPECT_EQ(record.largest_status(), 0);
  end(record, report(0, HostState::failed, 7));
  end(record, report(1, HostState::failed, 3));
  EXPECT_EQ(record.largest_status(), 7);
  RunRecord lost(console, names, RunRecord::Telling::nothing);
  end(lost, report(0, HostState::unreachable));
  EXPECT_EQ(lost.largest_status(), 255);
  RunRecord skipped(console, names, RunRecord::Telling::nothing);
  skipped.skipped(report(0, HostState::skipped));
  EXPECT_EQ(skipped.largest_status(), 255);
}

// What run_fleet says of a host whose output could not be started, by an observer asked before this one.
TEST_F(RunRecordTest, AHostWhoseOutputCouldNotBeMadeIsToldOfToo) {
  RunRecord record(console, names, RunRecord::Telling::everything);
  EXPECT_EQ(told([&] { record.skipped(report(1, HostState::failed, {}, "create out/web2: no space")); }),
            "web2: failed: create out/web2: no space\n");
  EXPECT_EQ(record.largest_status(), 255);
}

TEST_F(RunRecordTest, AHostWhoseOutputWasLostOnTheWayIsToldOf) {
  RunRecord record(console, names, RunRecord::Telling::everything);
  const auto output = record.started(1);
  EXPECT_EQ(record.running(), "web2");
  EXPECT_EQ(told([&] { record.skipped(report(1, HostState::failed, {}, "disk full")); }), "web2: failed: disk full\n");
  EXPECT_EQ(record.running(), "");
}

TEST_F(RunRecordTest, RunningHostsAreFolded) {
  RunRecord record(console, names, RunRecord::Telling::nothing);
  const auto one = record.started(0), two = record.started(1), three = record.started(3);
  EXPECT_EQ(record.running(), "db,web[1-2]");
  two->finished(report(1, HostState::ok, 0));
  EXPECT_EQ(record.running(), "db,web1");
}

TEST(ExitStatus, OfEachError) {
  const std::vector<std::pair<Code, int>> table{{Code::usage, 2},    {Code::not_found, 2},    {Code::unsupported, 4},
                                                {Code::refused, 5},  {Code::busy, 11},        {Code::key, 12},
                                                {Code::corrupt, 13}, {Code::no_space, 14},    {Code::io, 1},
                                                {Code::timeout, 1},  {Code::unreachable, 15}, {Code::cancelled, 130}};
  for (const auto& [code, status] : table) EXPECT_EQ(exit_status(code), status) << static_cast<int>(code);
}

TEST(ExitStatus, OfARun) {
  const auto status = [](std::size_t ok, std::size_t failed, std::size_t unreachable, std::size_t timeout) {
    return exit_status(FleetCounts{.ok = ok, .failed = failed, .unreachable = unreachable, .timeout = timeout});
  };
  EXPECT_EQ(status(3, 0, 0, 0), 0);
  EXPECT_EQ(status(2, 1, 0, 0), 3);
  EXPECT_EQ(status(2, 0, 1, 0), 3);
  EXPECT_EQ(status(0, 1, 2, 0), 1);
  EXPECT_EQ(status(0, 0, 2, 1), 1);
  EXPECT_EQ(status(0, 0, 2, 0), 15);
  EXPECT_EQ(exit_status(FleetCounts{.ok = 1, .skipped = 1}), 3);
}

}  // namespace
}  // namespace muster::cli
