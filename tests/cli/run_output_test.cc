#include "cli/run_output.h"

#include <algorithm>
#include <csignal>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <sys/stat.h>

#include "tests/parallel-ssh/support.h"

namespace muster::cli {
namespace {

using ssh::HostReport;
using ssh::HostState;
using ssh::Stream;

HostReport ended(std::size_t host, HostState state = HostState::ok, std::optional<int> status = 0) {
  return {.host = host, .state = state, .status = status, .signal = {}, .error = {}, .note = {}};
}

struct Told {
  std::string out, err;
};

struct RunOutput : testing::Test {
  inventory::FileTree tree;
  std::string spill = tree.path();
  Console console;
  HostNames names{"web1", "web2", "db"};

  template <typename Action>
  static Told told(Action action) {
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    action();
    Told captured{.out = testing::internal::GetCapturedStdout(), .err = testing::internal::GetCapturedStderr()};
    return captured;
  }
};

TEST_F(RunOutput, LiveLinesCarryTheirHostAndStayWhole) {
  const auto observer = live_output(console, names, Labels::shown, spill);
  const auto one = observer->started(0), two = observer->started(1);
  const auto first = told([&] {
    one->output(Stream::out, "first\nhal");
    two->output(Stream::out, "other\n");
    one->output(Stream::err, "oops\n");
  });
  EXPECT_EQ(first.out, "web1: first\nweb2: other\n");
  EXPECT_EQ(first.err, "web1: oops\n");
  const auto rest = told([&] {
    one->output(Stream::out, "f\n\nend");
    one->finished(ended(0));
  });
  EXPECT_EQ(rest.out, "web1: half\nweb1: \nweb1: end\n");
}

TEST_F(RunOutput, WithoutLabelsOrTerminalBytesStayRaw) {
  const auto observer = live_output(console, names, Labels::hidden, spill);
  const auto host = observer->started(0);
  EXPECT_EQ(told([&] { host->output(Stream::out, "\x1b[31m\xff\r\n"); }).out, "\x1b[31m\xff\r\n");
}

TEST_F(RunOutput, AVeryLongLineIsOneLine) {
  const auto observer = live_output(console, names, Labels::shown, spill);
  const auto host = observer->started(0);
  const std::string piece(30'000, 'x');
  const auto captured = told([&] {
    for (int i = 0; i < 5; ++i) host->output(Stream::out, piece);
    host->output(Stream::out, "\nnext\n");
  });
  EXPECT_TRUE(captured.out == "web1: " + std::string(150'000, 'x') + "\nweb1: next\n");
}

TEST_F(RunOutput, EqualOutputIsShownOnceUnderFoldedNames) {
  const auto observer = gathered_output(console, names, spill);
  for (std::size_t host = 0; host < 3; ++host) {
    const auto output = observer->started(host);
    output->output(Stream::out, "same");
    output->output(Stream::err, host == 2 ? "warning\n" : "");
    output->finished(host == 2 ? ended(2, HostState::failed, 3) : ended(host));
  }
  const auto captured = told([&] { observer->print(GatheredOutput::Form::whole); });
  EXPECT_EQ(captured.out,
            "---------------\nweb[1-2] (2)\n---------------\nsame\n"
            "---------------\ndb (1): exit status 3\n---------------\nsame\n");
  EXPECT_EQ(captured.err, "warning\n");
}

TEST_F(RunOutput, DifferencesAreShownAgainstTheLargestGroup) {
  const auto observer = gathered_output(console, names, spill);
  for (std::size_t host = 0; host < 3; ++host) {
    const auto output = observer->started(host);
    output->output(Stream::out, host == 2 ? "same\nother\n" : "same\n");
    output->finished(ended(host));
  }
  const auto captured = told([&] { observer->print(GatheredOutput::Form::differences); });
  EXPECT_EQ(captured.out,
            "---------------\nweb[1-2] (2)\n---------------\nsame\n"
            "---------------\ndb (1)\n---------------\n--- web[1-2]\n+++ db\n@@ -1 +1,2 @@\n same\n+other\n");
}

TEST_F(RunOutput, ADiffThatFailsIsAnError) {
  const auto observer = gathered_output(console, names, spill);
  for (std::size_t host = 0; host < 2; ++host) {
    const auto output = observer->started(host);
    output->output(Stream::out, std::to_string(host));
    output->finished(ended(host));
  }
  const std::string path = ::getenv("PATH");
  tree.add("diff", "#!/bin/sh\necho out of memory >&2; exit 2\n");
  ::chmod(tree.path("diff").c_str(), 0700);
  ::setenv("PATH", tree.path().c_str(), 1);
  const auto failure = ssh::failure_of([&] { told([&] { observer->print(GatheredOutput::Form::differences); }); });
  ::setenv("PATH", path.c_str(), 1);
  testing::internal::GetCapturedStdout();
  testing::internal::GetCapturedStderr();
  EXPECT_TRUE(failure.is(base::Code::io, "out of memory")) << failure;
}

TEST_F(RunOutput, AHostThatWasNotReachedIsNoGroup) {
  const auto observer = gathered_output(console, names, spill);
  observer->started(0)->finished(ended(0, HostState::unreachable, {}));
  EXPECT_EQ(told([&] { observer->print(GatheredOutput::Form::whole); }).out, "");
}

TEST_F(RunOutput, NamesOfSignalsAreTheServersWordsAndMadeVisible) {
  const auto observer = gathered_output(console, names, spill);
  auto report = ended(0, HostState::failed, {});
  report.signal = "\x1b]0;mine\x07";
  observer->started(0)->finished(report);
  EXPECT_EQ(told([&] { observer->print(GatheredOutput::Form::whole); }).out,
            "---------------\nweb1 (1): SIG^[]0;mine^G\n---------------\n");
}

TEST_F(RunOutput, FilesHoldWhatCameAndNothingOfAnEarlierRun) {
  const std::string directory = tree.path("new/out");
  {
    const auto observer = file_output(names, directory, EarlierFiles::replaced);
    const auto host = observer->started(0);
    host->output(Stream::out, "long output\n");
    host->output(Stream::err, "error\n");
    host->finished(ended(0));
  }
  EXPECT_EQ(base::read_file(directory + "/web1.err", 100), "error\n");
  const auto again = file_output(names, directory, EarlierFiles::replaced);
  again->started(0)->output(Stream::out, "\xff\x1b");
  EXPECT_EQ(base::read_file(directory + "/web1", 100), "\xff\x1b");
  EXPECT_FALSE(std::filesystem::exists(directory + "/web1.err"));
  EXPECT_FALSE(std::filesystem::exists(directory + "/web2"));
}

TEST_F(RunOutput, FilesCanBeAddedTo) {
  for (const std::string text : {"one\n", "two\n"}) {
    const auto observer = file_output(names, tree.path("out"), EarlierFiles::appended_to);
    const auto host = observer->started(0);
    host->output(Stream::out, text);
    host->finished(ended(0));
  }
  EXPECT_EQ(base::read_file(tree.path("out/web1"), 100), "one\ntwo\n");
}

TEST_F(RunOutput, OrderedLinesWaitForTheHostsBefore) {
  const auto observer = ordered_output(console, names, Labels::shown, spill);
  const auto second = observer->started(1), third = observer->started(2);
  const std::string large(100'000, 'y');
  const auto early = told([&] {
    third->output(Stream::out, large + "\n");
    third->output(Stream::err, "oops\n");
    third->finished(ended(2));
    second->output(Stream::out, "two");
    second->finished(ended(1));
  });
  EXPECT_EQ(early.out + early.err, "");
  const auto first = observer->started(0);
  const auto all = told([&] {
    first->output(Stream::out, "one\n");
    first->finished(ended(0));
  });
  EXPECT_TRUE(all.out == "web1: one\nweb2: two\ndb: " + large + "\n") << all.out.substr(0, 100);
  EXPECT_EQ(all.err, "db: oops\n");
}

TEST_F(RunOutput, OrderedLinesDoNotWaitForWhatWasSkipped) {
  const auto observer = ordered_output(console, names, Labels::shown, spill);
  const auto second = observer->started(1);
  const auto all = told([&] {
    second->output(Stream::out, "two\n");
    second->finished(ended(1));
    observer->skipped(ended(0, HostState::skipped));
    observer->skipped(ended(1));  // as after an output that could not be kept
    observer->skipped(ended(2, HostState::skipped));
  });
  EXPECT_EQ(all.out, "web2: two\n");
}

TEST_F(RunOutput, FilesThatCannotBeMadeAreErrors) {
  tree.add("file", "");
  EXPECT_TRUE(
      ssh::failure_of([&] { file_output(names, tree.path("file/below"), EarlierFiles::replaced); }).code.has_value());
  std::filesystem::create_directories(tree.path("out/web1"));
  const auto observer = file_output(names, tree.path("out"), EarlierFiles::replaced);
  const auto host = observer->started(0);
  const auto failure = ssh::failure_of([&] { host->output(Stream::out, "x"); });
  EXPECT_NE(failure.text.find("open " + tree.path("out/web1")), std::string::npos) << failure;
}

TEST_F(RunOutput, JsonHasOneResultAHostWithItsWholeOutput) {
  const auto observer = json_output(console, names, spill);
  const auto host = observer->started(0);
  const std::string large(100'000, 'y');
  auto report = ended(0, HostState::failed, 3);
  report.error = "why";
  report.duration = std::chrono::milliseconds(1'500);
  EXPECT_EQ(told([&] { host->output(Stream::out, "\"quoted\"\n\x1b\xe2\x82"); }).out, "");
  const auto captured = told([&] {
    host->output(Stream::out, "\xac" + large);
    host->output(Stream::err, "\xff\x01");
    host->finished(report);
  });
  EXPECT_EQ(std::count(captured.out.begin(), captured.out.end(), '\n'), 1);
  const auto json = nlohmann::json::parse(captured.out);
  EXPECT_EQ(json["v"], 1);
  EXPECT_EQ(json["type"], "result");
  EXPECT_EQ(json["host"], "web1");
  EXPECT_EQ(json["state"], "failed");
  EXPECT_EQ(json["rc"], 3);
  EXPECT_TRUE(json["signal"].is_null());
  EXPECT_EQ(json["duration"], 1.5);
  EXPECT_EQ(json["error"], "why");
  EXPECT_TRUE(json["stdout"] == "\"quoted\"\n\x1b\u20ac" + large);
  EXPECT_FALSE(json.contains("stderr"));
  EXPECT_EQ(json["stderr_b64"], base::base64_encode("\xff\x01"));
}

// U+009B begins a control sequence as ESC [ does.
TEST_F(RunOutput, JsonActsOnNoTerminal) {
  const auto observer = json_output(console, names, spill);
  const auto host = observer->started(0);
  auto report = ended(0, HostState::failed, {});
  report.error =
      "\xc2\x9b"
      "31m";
  const std::string head(ssh::OutputSpool::kMemoryBytes, 'x');
  const auto captured = told([&] {
    host->output(Stream::out, head + "\xc2");
    host->output(Stream::out,
                 "\x9b"
                 "31m \u202e");
    host->finished(report);
  });
  EXPECT_EQ(captured.out.find('\x9b'), std::string::npos);
  EXPECT_EQ(captured.out.find("\u202e"), std::string::npos);
  const auto json = nlohmann::json::parse(captured.out);
  EXPECT_EQ(json["error"], report.error);
  EXPECT_TRUE(json["stdout"] == head +
                                    "\xc2\x9b"
                                    "31m \u202e");
}

TEST_F(RunOutput, JsonOfAHostThatWasSkipped) {
  const auto observer = json_output(console, names, spill);
  const auto json = nlohmann::json::parse(told([&] { observer->skipped(ended(2, HostState::skipped, {})); }).out);
  EXPECT_EQ(json["host"], "db");
  EXPECT_EQ(json["state"], "skipped");
  EXPECT_TRUE(json["rc"].is_null());
  EXPECT_EQ(json["stdout"], "");
}

TEST_F(RunOutput, AllObserversHearEverything) {
  const auto live = live_output(console, names, Labels::shown, spill);
  const auto files = file_output(names, tree.path("out"), EarlierFiles::replaced);
  const auto both = all_of({files.get(), live.get()});
  const auto captured = told([&] {
    const auto host = both->started(1);
    host->output(Stream::out, "text");
    host->finished(ended(1));
  });
  EXPECT_EQ(captured.out, "web2: text\n");
  EXPECT_EQ(base::read_file(tree.path("out/web2"), 100), "text");
}

TEST_F(RunOutput, AReaderThatWentAwayIsToldOfOnce) {
  const auto handler = ::signal(SIGPIPE, SIG_IGN);
  base::Pipe pipe = base::make_pipe();
  pipe.read_end.reset();
  const base::UniqueFd kept(::dup(STDOUT_FILENO));
  std::vector<std::string> reasons;
  console.on_broken([&](const std::string& reason) { reasons.push_back(reason); });
  ::dup2(pipe.write_end.get(), STDOUT_FILENO);
  console.out("one\n");
  console.out("two\n");
  ::dup2(kept.get(), STDOUT_FILENO);
  ::signal(SIGPIPE, handler);
  EXPECT_EQ(reasons.size(), 1U);
  EXPECT_TRUE(console.broken());
}

}  // namespace
}  // namespace muster::cli
