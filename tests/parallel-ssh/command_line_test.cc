#include "parallel-ssh/command_line.h"

#include <gtest/gtest.h>

#include "tests/parallel-ssh/support.h"

namespace muster::ssh {
namespace {

// What a login shell does with the one string it gets.
Ran in_shell(const std::string& line, const std::string& input, const FileTree& temporary) {
  return run_program({"/bin/sh", "-c", line}, input, {"TMPDIR=" + temporary.path()});
}

Ran run_script(const FileTree& temporary, const std::string& script, const std::vector<std::string>& arguments,
               const std::optional<std::string>& following = std::nullopt) {
  const CommandSpec spec{.command = {},
                         .script = Script{interpreter_of(script), script.size(), arguments},
                         .input_follows = following.has_value(),
                         .sudo = {}};
  return in_shell(remote_command_line(spec, nullptr), script + following.value_or(""), temporary);
}

bool is_empty(const FileTree& tree) { return std::filesystem::is_empty(tree.path()); }

TEST(Quoted, IsOneWordForTheShellWhateverItHolds) {
  const FileTree tree;
  for (const std::string text : {"", "plain", "a b", "it's", "''", "$HOME `id` \\ \"q\"", "two\nlines", "*", "-n", "é"})
    EXPECT_EQ(in_shell("printf '<%s>' " + ssh::in_quotes(text), "", tree).out, "<" + text + ">");
}

TEST(InterpreterOf, ReadsTheFirstLineAsTheKernelDoes) {
  EXPECT_EQ(interpreter_of("echo hello\n"), "sh");
  EXPECT_EQ(interpreter_of(""), "sh");
  EXPECT_EQ(interpreter_of("#!\necho"), "sh");
  EXPECT_EQ(interpreter_of("#!"), "sh");
  EXPECT_EQ(interpreter_of("# !/bin/bash\n"), "sh");
  EXPECT_EQ(interpreter_of("#!/bin/bash"), "'/bin/bash'");
  EXPECT_EQ(interpreter_of("#!/bin/bash\nline"), "'/bin/bash'");
  EXPECT_EQ(interpreter_of("#! /bin/bash \t\nline"), "'/bin/bash'");
  EXPECT_EQ(interpreter_of("#!/bin/bash\r\nline"), "'/bin/bash'");
  EXPECT_EQ(interpreter_of("#!/usr/bin/env python3\n"), "'/usr/bin/env' 'python3'");
  EXPECT_EQ(interpreter_of("#!/bin/sh \t -e -u\n"), "'/bin/sh' '-e -u'");
  EXPECT_EQ(interpreter_of("#!/opt/it's/sh\n"), "'/opt/it'\\''s/sh'");
}

TEST(CommandLine, ACommandGoesAsItWasTyped) {
  const CommandSpec spec{.command = "echo $HOME | wc; exit 3", .script = {}, .input_follows = false, .sudo = {}};
  EXPECT_EQ(remote_command_line(spec, nullptr), "echo $HOME | wc; exit 3");
}

TEST(CommandLine, HalfAScriptIsNotRun) {
  const FileTree tree;
  const std::string script = "echo first\necho second\n";
  for (const bool input_follows : {false, true}) {
    const CommandSpec spec{
        .command = {}, .script = Script{"sh", script.size(), {}}, .input_follows = input_follows, .sudo = {}};
    const auto ran = in_shell(remote_command_line(spec, nullptr), "echo first\n", tree);
    EXPECT_EQ(ran.out, "");
    EXPECT_NE(ran.err.find("did not arrive whole"), std::string::npos) << ran.err;
    EXPECT_EQ(ran.status, 127);
    EXPECT_TRUE(is_empty(tree));
  }
}

TEST(EndSiblingsLine, LeavesAloneWhatNoSshdHasStarted) {
  // As when the connection is gone before the shell starts, and its parent is the one of all services.
  base::ChildProcess service({"sleep", "100"});
  const FileTree tree;
  in_shell(end_siblings_line(), "", tree);
  pollfd ended{.fd = service.ended_fd(), .events = POLLIN, .revents = 0};
  EXPECT_EQ(::poll(&ended, 1, 300), 0) << "a process of somebody else's was ended";
}

TEST(CommandLine, ScriptRunsWithItsArgumentsAndLeavesNothingBehind) {
  const FileTree tree;
  const auto ran = run_script(tree, "printf '<%s>' \"$@\"; ls \"$TMPDIR\" | wc -l; exit 7\n",
                              {"a b", "it's", "", "two\nlines", "$HOME", "-x"});
  EXPECT_EQ(ran.out, "<a b><it's><><two\nlines><$HOME><-x>1\n");
  EXPECT_EQ(ran.err, "");
  EXPECT_EQ(ran.status, 7);
  EXPECT_TRUE(is_empty(tree));
}

TEST(CommandLine, ScriptGetsTheInterpreterItNames) {
  const FileTree tree;
  EXPECT_EQ(run_script(tree, "#!/bin/bash\necho \"${BASH_VERSION:+bash} $1\"\n", {"x"}).out, "bash x\n");
  EXPECT_EQ(run_script(tree, "#!/usr/bin/env bash\necho ${BASH_VERSION:+bash}", {}).out, "bash\n");
  const auto strict = run_script(tree, "#!/bin/sh -e\nfalse\necho not reached\n", {});
  EXPECT_EQ(strict.out, "");
  EXPECT_EQ(strict.status, 1);
  EXPECT_EQ(run_script(tree, "#!/no/such/interpreter\n", {}).status, 127);
  EXPECT_TRUE(is_empty(tree));
}

TEST(CommandLine, ScriptThatEndsItselfBySignalIsStillCleanedUp) {
  const FileTree tree;
  EXPECT_EQ(run_script(tree, "kill -TERM $$\n", {}).status, 128 + 15);
  EXPECT_TRUE(is_empty(tree));
}

TEST(CommandLine, WithoutInputTheScriptFindsTheEndOfItsStandardInput) {
  const FileTree tree;
  EXPECT_EQ(run_script(tree, "cat; echo done\n", {}).out, "done\n");
}

TEST(CommandLine, InputThatFollowsReachesTheScriptWhole) {
  const FileTree tree;
  const std::string script = "wc -c; echo done\n";
  EXPECT_EQ(run_script(tree, script, {}, std::string(20'000, 'x')).out, "20000\ndone\n");
  EXPECT_EQ(run_script(tree, script, {}, "").out, "0\ndone\n");
  // A script without a newline at its end must not swallow the first line of its input.
  EXPECT_EQ(run_script(tree, "read -r line; echo \"<$line>\"", {}, "first\nsecond\n").out, "<first>\n");
  EXPECT_TRUE(is_empty(tree));
}

TEST(CommandLine, ScriptWithoutPlaceForItsFileDoesNotRun) {
  const std::string script = "echo ran\n";
  const CommandSpec spec{.command = {}, .script = Script{"sh", script.size(), {}}, .input_follows = false, .sudo = {}};
  const auto ran =
      run_program({"/bin/sh", "-c", remote_command_line(spec, nullptr)}, script, {"TMPDIR=/no/such/directory"});
  EXPECT_EQ(ran.status, 127);
  EXPECT_EQ(ran.out, "");
}

// A sudo that shows what it was told, asks for its password if -S says so, and runs the command as we are.
struct CommandLineSudo : testing::Test {
  FileTree tree;
  void SetUp() override {
    tree.add("bin/sudo",
             "#!/bin/sh\n"
             "while [ \"$1\" != -- ]; do\n"
             "  case $1 in\n"
             "    -n) echo no password ;;\n"
             "    -S) ask=1 ;;\n"
             "    -p) shift; printf %s \"$1\" >&2 ;;\n"
             "    -u) shift; echo \"user <$1>\" ;;\n"
             "  esac\n"
             "  shift\n"
             "done\n"
             "shift\n"
             "if [ -n \"$ask\" ]; then read -r password; echo \"password <$password>\"; fi\n"
             "exec \"$@\"\n");
    std::filesystem::permissions(tree.path("bin/sudo"), std::filesystem::perms::owner_all);
    std::filesystem::create_directory(tree.path("tmp"));
  }
  Ran run(const CommandSpec& spec, const SudoSecret* secret, const std::string& input) const {
    return run_program({"/bin/sh", "-c", remote_command_line(spec, secret)}, input,
                       {"PATH=" + tree.path("bin") + ":/usr/bin:/bin", "TMPDIR=" + tree.path("tmp")});
  }
};

TEST_F(CommandLineSudo, WithoutPasswordNeverAsks) {
  const CommandSpec spec{
      .command = "echo \"it's $((1+1))\"; exit 4", .script = {}, .input_follows = false, .sudo = Sudo{"o'web"}};
  const auto ran = run(spec, nullptr, "");
  EXPECT_EQ(ran.out, "no password\nuser <o'web>\nit's 2\n");
  EXPECT_EQ(ran.err, "");
  EXPECT_EQ(ran.status, 4);
}

TEST_F(CommandLineSudo, WithPasswordTheMarkersStandAroundTheAnswer) {
  const CommandSpec spec{.command = "cat; exit 5", .script = {}, .input_follows = false, .sudo = Sudo{"root"}};
  const auto secret = make_sudo_secret("pass");
  const auto ran = run(spec, &secret, "pass\ninput");
  EXPECT_EQ(ran.out, "user <root>\npassword <pass>\ninput");
  EXPECT_EQ(ran.err, secret.prompt_marker + secret.ready_marker);
  EXPECT_EQ(ran.status, 5);
}

TEST_F(CommandLineSudo, AScriptTravelsBehindThePassword) {
  const std::string script = "#!/bin/sh\necho \"$1\"; cat; exit 6\n";
  const CommandSpec spec{.command = {},
                         .script = Script{interpreter_of(script), script.size(), {"it's"}},
                         .input_follows = true,
                         .sudo = Sudo{"root"}};
  const auto secret = make_sudo_secret("pass");
  const auto ran = run(spec, &secret, "pass\n" + script + "input");
  EXPECT_EQ(ran.out, "user <root>\npassword <pass>\nit's\ninput");
  EXPECT_EQ(ran.status, 6);
  EXPECT_TRUE(std::filesystem::is_empty(tree.path("tmp")));
}

}  // namespace
}  // namespace muster::ssh
