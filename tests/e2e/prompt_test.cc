// muster run --interactive: one command after the other, from a terminal or a pipe.
#include <gtest/gtest.h>

#include "tests/e2e/end_to_end.h"
#include "tests/e2e/private_user.h"
#include "tests/e2e/pty_process.h"

namespace muster::e2e {
namespace {

using namespace std::chrono_literals;

class Prompt : public EndToEnd {
 protected:
  Prompt() { use({host(server_, "web01"), host(server_, "web02")}); }
  SshServer server_{accepting_key()};
};

TEST_F(Prompt, RunsEachLineOfAPipeWithTheSameOptions) {
  const auto done =
      muster({"run", "web01", "--interactive", "--max-rc"}, "echo one\n\n  echo  two \nexit 7\necho last; exit 5");
  EXPECT_EQ(done.out, "web01: one\nweb01: two\nweb01: last\n") << told(done);
  EXPECT_EQ(done.code, 5);
  EXPECT_TRUE(contains(done.err, "exit status 7"));
  EXPECT_FALSE(contains(done.err, "web01 (1)>")) << "no prompt without a terminal: " << told(done);
}

TEST_F(Prompt, ExitEndsItWithTheLastStatus) {
  const auto done = muster({"run", "all", "-q", "-b", "--interactive"}, "echo same\nfalse\nexit\necho never\n");
  EXPECT_EQ(done.out,
            "---------------\nweb[01-02] (2)\n---------------\nsame\n"
            "---------------\nweb[01-02] (2): exit status 1\n---------------\n")
      << told(done);
  EXPECT_EQ(done.code, 1);
}

TEST_F(Prompt, SomethingElseToReadOrRunIsRefused) {
  EXPECT_EQ(muster({"run", "all", "--interactive", "--", "true"}).code, 2);
  EXPECT_EQ(muster({"run", "all", "--interactive", "--stdin"}).code, 2);
  EXPECT_EQ(muster({"run", "nosuchhost", "--interactive"}).code, 2);
  EXPECT_EQ(server_.logged("Accepted publickey"), 0U);
}

TEST_F(Prompt, ControlCEndsACommandAndTheNextOneRuns) {
  PtyProcess process(command({"run", "all", "--interactive"}));
  ASSERT_TRUE(process.wait_for("all (2)> ")) << process.screen();
  process.write("echo begun; sleep 100\n");
  ASSERT_TRUE(process.wait_for("web02: begun") && process.wait_for("web01: begun")) << process.screen();
  process.write("\3");
  ASSERT_TRUE(process.wait_for("no new hosts")) << process.screen();
  process.write("\3");
  ASSERT_TRUE(process.wait_for("2 hosts: 0 ok")) << process.screen();
  process.write("echo next\n");
  ASSERT_TRUE(process.wait_for("web02: next")) << process.screen();
  ASSERT_TRUE(process.wait_for("2 hosts: 2 ok")) << process.screen();
  process.write("\4");
  const auto done = process.finish();
  EXPECT_EQ(done.code, 0) << told(done);
  EXPECT_FALSE(done.late);
}

TEST_F(Prompt, ControlCBetweenCommandsLeaves) {
  PtyProcess process(command({"run", "all", "--interactive"}));
  ASSERT_TRUE(process.wait_for("all (2)> ")) << process.screen();
  process.write("\3");
  EXPECT_EQ(process.finish().code, 130);
}

TEST_F(Prompt, TerminationEndsTheCommandToo) {
  MusterProcess process({.argv = command({"run", "web01", "--interactive"}).argv, .input = "echo begun; sleep 100\n"});
  ASSERT_TRUE(process.wait_for("begun")) << process.err();
  process.signal(SIGTERM);
  const auto done = process.finish();
  EXPECT_EQ(done.code, 130) << told(done);
  EXPECT_LT(done.took, 20s);
}

TEST_F(Prompt, APasswordIsAskedForOnce) {
  if (!is_root()) GTEST_SKIP() << "a mount namespace with a user of its own needs root";
  const PrivateUser user("correct horse");
  auto options = accepting_key();
  options.in_namespace = user.in_namespace();
  const SshServer server(options);
  use({host(server, "web01").set("user", PrivateUser::kName)});
  PtyProcess process(command({"run", "all", "--interactive", "--sudo", "--ask-sudo-pass"}));
  ASSERT_TRUE(process.wait_for("assword")) << process.screen();
  process.write("correct horse\n");
  ASSERT_TRUE(process.wait_for("all (1)> ")) << process.screen();
  for (const std::string word : {"first", "second"}) {
    process.write("echo " + word + "-$(id -un)\n");
    ASSERT_TRUE(process.wait_for(word + "-root")) << process.screen();
  }
  process.write("exit\n");
  const auto done = process.finish();
  EXPECT_EQ(done.code, 0) << told(done) << server.log();
  EXPECT_FALSE(contains(done.out, "correct horse"));
}

}  // namespace
}  // namespace muster::e2e
