// The three streams of a run when they are not what one expects: read slowly or not at all, closed, full.
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/e2e/end_to_end.h"
#include "tests/e2e/process_table.h"

namespace muster::e2e {
namespace {

using namespace std::chrono_literals;

class Streams : public EndToEnd {
 protected:
  Streams() { use({host(server_, "web01"), host(server_, "web02")}); }

  // `muster ARGUMENT... REST` in a shell, REST being redirections and pipes.
  Finished in_shell(const std::vector<std::string>& arguments, const std::string& rest) {
    Launch launch = command(arguments);
    const std::string line = "\"$@\" " + rest;
    launch.argv.insert(launch.argv.begin(), {"sh", "-c", line, "sh"});
    return run(launch);
  }
  SshServer server_{accepting_key()};
};

TEST_F(Streams, TimeoutHoldsAlsoForOutputThatIsReadSlowly) {
  const auto done = in_shell({"run", "web01", "--timeout", "1s", "--", "yes"},
                             "| perl -e 'while (sysread(STDIN, $b, 20000)) { select(undef, undef, undef, 0.1) }'");
  EXPECT_TRUE(contains(done.err, "timed out in")) << told(done);
  EXPECT_LT(done.took, 12s) << told(done);
}

TEST_F(Streams, OutputThatIsReadSlowlyArrivesWhole) {
  const auto done =
      in_shell({"run", "web01", "--no-prefix", "--", "head -c 3000000 /dev/zero | tr '\\0' x | fold -w 99"},
               "| perl -e 'sleep 3; while ($n = sysread(STDIN, $b, 30000)) { $t += $n; select(undef, undef, undef, "
               "0.05) } print $t'");
  EXPECT_EQ(done.out, "3030304") << told(done);
  EXPECT_TRUE(contains(done.err, "1 ok")) << told(done);
}

TEST_F(Streams, BackgroundThatNeverStopsWritingDoesNotHoldTheHost) {
  const auto done = in_shell({"run", "web01", "--", "yes & echo started"}, "| tail -n 1");
  EXPECT_TRUE(contains(done.err, "1 ok")) << told(done);
  EXPECT_LT(done.took, 50s);
}

TEST_F(Streams, ReaderThatGoesAwayEndsTheRunQuietly) {
  const auto done = in_shell({"run", "all", "--", "while echo early; do sleep 0.2; done"}, "| head -n 1");
  EXPECT_TRUE(contains(done.out, ": early\n")) << told(done);
  EXPECT_EQ(done.err, "");
  EXPECT_LT(done.took, 15s);
}

TEST_F(Streams, FullDiskBehindStandardOutputIsAnError) {
  for (const std::string option : {"--json", "--gather", "--no-prefix"}) {
    const auto done = in_shell({"run", "web01", option, "--", "echo", "hello"}, ">/dev/full; exit $?");
    EXPECT_EQ(done.code, 14) << told(done);
    EXPECT_TRUE(contains(done.err, "standard output: No space left")) << told(done);
  }
}

TEST_F(Streams, ClosedStreamsAreNotTakenForDescriptorsOpenedLater) {
  const auto done =
      in_shell({"run", "all", "--output-dir", file("out"), "--", "echo out; echo err >&2"}, "<&- >&- 2>&-; exit $?");
  EXPECT_EQ(done.code, 0);
  for (const std::string host : {"web01", "web02"}) {
    EXPECT_EQ(read(file("out/" + host)), "out\n");
    EXPECT_EQ(read(file("out/" + host + ".err")), "err\n");
  }
}

TEST_F(Streams, InputThatCannotBeKeptIsNotTakenForTheWhole) {
  if (!is_root()) GTEST_SKIP() << "a small file system needs root";
  Launch launch = command({"run", "all", "--json", "--stdin", "--", "cat >/dev/null; echo got all of it"});
  launch.argv.insert(launch.argv.begin(),
                     {"unshare", "-m", "sh", "-c", "mount -t tmpfs -o size=1m none \"$TMPDIR\" && exec \"$@\"", "sh"});
  launch.input = std::string(4U << 20U, 'x');
  const auto done = run(launch);
  EXPECT_EQ(done.code, 1) << told(done);
  for (const std::string host : {"web01", "web02"}) {
    const auto result = result_of(json_lines(done.out), host);
    EXPECT_EQ(result.value("state", ""), "failed") << told(done);
    EXPECT_EQ(result.value("stdout", ""), "");
    EXPECT_TRUE(contains(result.value("error", ""), "No space left")) << told(done);
  }
}

// muster with a standard output that nobody reads.
class Unread {
 public:
  explicit Unread(const Launch& launch) : pipe_(base::make_pipe()) {
    const auto argv = in_clean_environment(launch.argv, launch.environment);
    std::vector<char*> words;
    for (const auto& word : argv) words.push_back(const_cast<char*>(word.c_str()));
    words.push_back(nullptr);
    pid_ = ::fork();
    if (pid_ != 0) return;
    ::dup2(pipe_.write_end.get(), STDOUT_FILENO);
    ::execvp(words[0], words.data());
    ::_exit(127);
  }
  ~Unread() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  bool is_full() const {
    pollfd p{.fd = pipe_.write_end.get(), .events = POLLOUT, .revents = 0};
    return ::poll(&p, 1, 0) == 0;
  }
  pid_t pid() const { return pid_; }

 private:
  base::Pipe pipe_;
  pid_t pid_ = -1;
};

TEST_F(Streams, TerminationIsHeardWhileNobodyReads) {
  const Unread muster(command({"run", "web01", "--", "yes"}));
  ASSERT_TRUE(wait_until([&] { return muster.is_full(); }));
  ::kill(muster.pid(), SIGTERM);
  EXPECT_TRUE(wait_until([&] { return !is_running(muster.pid()); }, 8000));
}

TEST_F(Streams, ThirdInterruptIsHeardWhileNobodyReads) {
  const Unread muster(command({"run", "web01", "--", "yes"}));
  ASSERT_TRUE(wait_until([&] { return muster.is_full(); }));
  for (int i = 0; i < 3; ++i) {
    ::kill(muster.pid(), SIGINT);
    wait_until([&] { return !is_running(muster.pid()); }, 600);
  }
  EXPECT_TRUE(wait_until([&] { return !is_running(muster.pid()); }, 2000));
}

TEST_F(Streams, HangupIsIgnoredWhereItWasBefore) {
  Launch launch = command(
      {"run", "web01", "--", "echo started; while ! test -e " + file("gate") + "; do sleep 0.05; done; echo finished"});
  launch.argv.insert(launch.argv.begin(), {"sh", "-c", "trap '' HUP; exec \"$@\"", "sh"});
  MusterProcess process(launch);
  ASSERT_TRUE(process.wait_for("started"));
  process.signal(SIGHUP);
  write(file("gate"), "");
  const auto done = process.finish();
  EXPECT_EQ(done.code, 0) << told(done);
  EXPECT_TRUE(contains(done.out, "finished")) << told(done);
}

TEST_F(Streams, TerminationIsHeardWhileWaitingForAPassword) {
  Launch launch = command({"run", "web01", "--sudo", "--ask-sudo-pass=3", "--", "true"});
  launch.argv.insert(launch.argv.begin(), {"sh", "-c", "mkfifo \"$HOME/fifo\"; exec 3<>\"$HOME/fifo\"; \"$@\"", "sh"});
  MusterProcess process(launch);
  ASSERT_FALSE(wait_until([&] { return !is_running(process.pid()); }, 700));
  process.signal(SIGTERM);
  const auto done = process.finish();
  EXPECT_LT(done.took, 10s);
  EXPECT_FALSE(done.late);
}

}  // namespace
}  // namespace muster::e2e
