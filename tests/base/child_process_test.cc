#include "base/child_process.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include "base/error.h"

namespace muster::base {
namespace {

using std::chrono::milliseconds;

std::string read_until_end(int fd) {
  std::string text;
  char piece[4096];
  for (;;) {
    pollfd p{.fd = fd, .events = POLLIN, .revents = 0};
    if (::poll(&p, 1, 10'000) <= 0) return text + "<deadline>";
    const ssize_t n = ::read(fd, piece, sizeof piece);
    if (n <= 0) return text;
    text.append(piece, static_cast<std::size_t>(n));
  }
}

TEST(ChildProcess, StreamsAndStatusComeBack) {
  ChildProcess child({"sh", "-c", "cat; echo err >&2; exit 7"});
  write_all(child.standard_input().get(), "in");
  child.standard_input().reset();
  EXPECT_EQ(read_until_end(child.standard_output().get()), "in");
  EXPECT_EQ(read_until_end(child.standard_error().get()), "err\n");
  EXPECT_EQ(child.wait(milliseconds(10'000)).code, 7);
}

TEST(ChildProcess, SignalsAreTold) {
  ChildProcess child({"sleep", "60"});
  child.signal(SIGTERM);
  EXPECT_EQ(child.wait(milliseconds(10'000)).signal, SIGTERM);
}

TEST(ChildProcess, PatienceEndsTheWholeGroup) {
  ChildProcess child({"sh", "-c", "trap '' TERM; sleep 60 & wait"});
  EXPECT_EQ(child.wait(milliseconds(50)).signal, SIGKILL);
  EXPECT_EQ(read_until_end(child.standard_output().get()), "");  // the sleep held it open, and is gone
}

TEST(ChildProcess, MissingProgramIsNotFound) {
  try {
    ChildProcess child({"/no/such/program"});
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), Code::not_found);
  }
}

}  // namespace
}  // namespace muster::base
