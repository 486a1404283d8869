// What comes back: byte for byte in files, with labels live, harmless on a terminal, exact in JSON.
#include <filesystem>
#include <map>
#include <sstream>

#include "base/digest.h"
#include "tests/e2e/end_to_end.h"
#include "tests/e2e/pty_process.h"

namespace muster::e2e {
namespace {

using namespace std::chrono_literals;

class Output : public EndToEnd {
 protected:
  Output() { use({host(server_, "web01")}); }
  // The file of `host` in an --output-dir, whatever else is there.
  std::string output_of(const std::string& host) const {
    for (const std::string& name : {"/" + host, "/" + host + ".out", "/" + host + ".stdout", "/" + host + "/stdout"})
      if (std::filesystem::is_regular_file(file("out") + name)) return read(file("out") + name);
    ADD_FAILURE() << "no file of " << host << " in: " << listing(file("out"));
    return "";
  }
  SshServer server_{accepting_key()};
};

TEST_F(Output, StreamsStayApartAndAreLabelled) {
  const auto done = muster({"run", "all", "--", "echo out; echo err >&2"});
  EXPECT_EQ(done.out, "web01: out\n");
  EXPECT_TRUE(contains(done.err, "web01: err\n")) << told(done);
}

TEST_F(Output, LabelsCanBeLeftOut) {
  const auto done = muster({"run", "all", "--no-prefix", "--", "echo out"});
  EXPECT_EQ(done.out, "out\n") << told(done);
}

TEST_F(Output, LineWithoutNewlineIsLabelledOnceAndEnded) {
  const auto done = muster({"run", "all", "--", "printf a; sleep 0.3; printf 'b\\nc'"});
  EXPECT_EQ(done.out, "web01: ab\nweb01: c\n") << told(done);
}

TEST_F(Output, LinesOfManyHostsAreNeverMixed) {
  std::vector<Host> hosts;
  for (int i = 10; i < 26; ++i) hosts.push_back(host(server_, "web" + std::to_string(i)));
  use(hosts);
  const auto done = muster({"run", "all", "--fanout", "16", "--", "for i in $(seq 200); do echo $i-$i-$i-$i-$i; done"});
  EXPECT_EQ(done.code, 0);
  std::map<std::string, int> seen;
  std::istringstream lines(done.out);
  for (std::string line; std::getline(lines, line);) {
    const std::string name = line.substr(0, line.find(": "));
    const std::string n = std::to_string(++seen[name]);
    ASSERT_EQ(line, name + ": " + n + '-' + n + '-' + n + '-' + n + '-' + n);
  }
  EXPECT_EQ(seen.size(), 16U);
}

TEST_F(Output, FiftyMegabytesArriveIntact) {
  const std::string make = "seq 1 9000000 | head -c 52428800";
  const auto expected = run({.argv = {"sh", "-c", make}});
  ASSERT_EQ(expected.out.size(), 52'428'800U);
  const auto live = muster({"run", "all", "--no-prefix", "--", make});
  EXPECT_EQ(live.code, 0) << live.err;
  // A missing newline at the end may be added live; nothing else may differ.
  EXPECT_TRUE(live.out.substr(0, expected.out.size()) == expected.out) << live.out.size() << " bytes";
  EXPECT_LE(live.out.size(), expected.out.size() + 1);
  const auto filed = muster({"run", "all", "--output-dir", file("out"), "-q", "--", make});
  EXPECT_EQ(filed.code, 0) << filed.err;
  const auto digest = base::sha256(output_of("web01"));
  EXPECT_EQ(digest, base::sha256(expected.out));
}

TEST_F(Output, BinaryOutputStandsInJsonAsBase64) {
  write(file("binary"), base::random_bytes(100'000) + std::string("\0\xff\xfe", 3));
  const auto done = muster({"run", "all", "--json", "--", "cat " + file("binary")});
  EXPECT_EQ(done.code, 0) << done.err;
  const auto result = result_of(json_lines(done.out), "web01");
  ASSERT_TRUE(result.contains("stdout_b64")) << done.out.substr(0, 300);
  EXPECT_FALSE(result.contains("stdout"));
  const auto bytes = base::base64_decode(result.at("stdout_b64").get<std::string>());
  EXPECT_TRUE(bytes && *bytes == read(file("binary")));
}

TEST_F(Output, JsonResultAndSummaryHaveTheirFields) {
  const SshServer refusing(SshServer::Options{});
  use({host(server_, "web01"), host(server_, "web02"), host(refusing, "web03")});
  const auto done = muster({"run", "all", "--json", "--", "echo out; echo err >&2; exit 5"});
  const auto lines = json_lines(done.out);
  const auto result = result_of(lines, "web01");
  EXPECT_EQ(result.value("state", ""), "failed");
  EXPECT_EQ(result.value("rc", -1), 5);
  EXPECT_EQ(result.value("stdout", ""), "out\n");
  EXPECT_EQ(result.value("stderr", ""), "err\n");
  EXPECT_TRUE(result.contains("duration") && result.at("duration").is_number());
  const auto summary = summary_of(lines);
  EXPECT_EQ(summary.value("ok", -1), 0);
  EXPECT_EQ(summary.value("failed", -1), 2);
  EXPECT_EQ(summary.value("unreachable", -1), 1);
  EXPECT_EQ(summary.value("timeout", -1), 0);
  EXPECT_EQ(summary.value("exit", -1), done.code);
}

TEST_F(Output, JsonSummaryComesAlsoWhenNothingMatched) {
  const auto done = muster({"run", "nobody", "--json", "--", "true"});
  EXPECT_EQ(done.code, 2);
  const auto lines = json_lines(done.out);
  EXPECT_EQ(summary_of(lines).value("exit", -1), 2) << told(done);
}

TEST_F(Output, ControlSequencesAreVisibleOnATerminal) {
  PtyProcess process(command({"run", "all", "--", R"(printf '\033]0;evil\007\033[2Jhi\n\033[31mred\n')"}));
  const auto done = process.finish();
  EXPECT_EQ(done.code, 0) << told(done);
  EXPECT_TRUE(contains(done.out, "hi")) << told(done);
  EXPECT_FALSE(contains(done.out, "\033]0;evil")) << told(done);
  EXPECT_FALSE(contains(done.out, "\033[2J"));
  EXPECT_FALSE(contains(done.out, "\033[31mred"));
  EXPECT_FALSE(contains(done.out, "\007"));
}

TEST_F(Output, ControlSequencesOfGatheredOutputAreVisibleToo) {
  PtyProcess process(command({"run", "all", "-b", "--", R"(printf '\033]0;evil\007hi\n')"}));
  const auto done = process.finish();
  EXPECT_TRUE(contains(done.out, "hi")) << told(done);
  EXPECT_FALSE(contains(done.out, "\033]0;evil")) << told(done);
}

TEST_F(Output, ControlSequencesAreRawInFiles) {
  const std::string make = R"(printf '\033]0;title\007\r\000hi\n')";
  const auto done = muster({"run", "all", "--output-dir", file("out"), "--", make});
  EXPECT_EQ(done.code, 0) << told(done);
  EXPECT_EQ(output_of("web01"), std::string("\033]0;title\007\r\0hi\n", 15));
}

TEST_F(Output, EqualOutputIsGatheredUnderFoldedNames) {
  std::vector<Host> hosts;
  for (const std::string name : {"web01", "web02", "web03", "db1"}) hosts.push_back(host(server_, name));
  hosts[1].set("port", std::to_string(server_.endpoint().port));
  use(hosts);
  write(file("count"), "");
  // The hosts are one machine: who comes last gets another answer.
  const std::string command_line = "flock " + file("count") + " sh -c 'echo x >> " + file("count") +
                                   "; test $(wc -l < " + file("count") + ") -lt 4 && echo same || echo other'";
  const auto done = muster({"run", "all", "-b", "--fanout", "1", "--", command_line});
  EXPECT_EQ(done.code, 0) << told(done);
  EXPECT_TRUE(contains(done.out, "web[01-03]")) << told(done);
  EXPECT_TRUE(contains(done.out, "db1"));
  EXPECT_EQ(done.out.find("same"), done.out.rfind("same")) << "once for all three\n" << told(done);
}

TEST_F(Output, LastLineCountsAndNamesTheFailedFolded) {
  const SshServer refusing(SshServer::Options{});
  use({host(server_, "web01"), host(refusing, "web02"), host(refusing, "web03")});
  const auto done = muster({"run", "all", "--", "true"});
  EXPECT_EQ(done.code, 3);
  EXPECT_TRUE(contains(done.err, "web[02-03]")) << told(done);
}

TEST_F(Output, ClosedStandardOutputEndsTheRun) {
  const auto words = command({"run", "all", "--", "yes"}).argv;
  std::string line;
  for (const auto& word : words) line += '\'' + word + "' ";
  auto launch = command({});
  launch.argv = {"sh", "-c", line + "| head -n 2"};
  launch.deadline = 20s;
  const auto done = run(launch);
  EXPECT_FALSE(done.late);
  EXPECT_EQ(done.out, "web01: y\nweb01: y\n") << told(done);
}

}  // namespace
}  // namespace muster::e2e
