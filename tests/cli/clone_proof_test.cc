// What a clone says of itself, whether that is who it should be, and that nobody else says the same.
#include "cli/clone_proof.h"

#include <atomic>
#include <thread>

#include "tests/parallel-ssh/support.h"

namespace muster::cli {
namespace {

using base::Code;
using Bytes = std::vector<std::uint64_t>;

TEST(SelfPortrait, IsReadOutOfWhatAGuestPrints) {
  struct {
    const char *what, *output, *host_name, *machine_id;
    Bytes disks;
  } const cases[] = {
      {"nothing", "", "", "", {}},
      {"all", "host-name=web01\nmachine-id=abc\ndisk=2097152\ndisk=8\n", "web01", "abc", {1ULL << 30, 4096}},
      {"a terminal's line ends", "host-name=web01\r\nmachine-id=abc\r\ndisk=8\r\n", "web01", "abc", {4096}},
      {"no last newline", "host-name=web01", "web01", "", {}},
      {"a greeting before", "Welcome!\nhost-name=web01\n", "web01", "", {}},
      {"nothing to tell", "host-name=\nmachine-id=\ndisk=\n", "", "", {0}},
      {"no numbers", "disk=x\ndisk=-1\ndisk=99999999999999999999999\n", "", "", {0, 0, 0}},
      {"other keys", "hostname=a\n disk=8\nx-machine-id=b\n", "", "", {}},
      {"blanks in it", "host-name=web 01\n", "web 01", "", {}},
  };
  for (const auto& one : cases) {
    const auto portrait = self_portrait(one.output);
    EXPECT_EQ(portrait.host_name, one.host_name) << one.what;
    EXPECT_EQ(portrait.machine_id, one.machine_id) << one.what;
    EXPECT_EQ(portrait.disk_bytes, one.disks) << one.what;
  }
}

TEST(SelfPortrait, IsPrintedByAnyShell) {
  const auto ran = ssh::run_program({"sh", "-c", kSelfPortrait});
  EXPECT_EQ(ran.status, 0) << ran.err;
  EXPECT_NE(self_portrait(ran.out).host_name, "") << ran.out;
}

TEST(Portrait, HasToBeOfTheOneThatWasExpected) {
  struct {
    const char* what;
    SelfPortrait portrait;
    Expected expected;
    const char* wrong;  // nullptr: nothing is
  } const cases[] = {
      {"its name", {"web01", "", {}}, {"web01", {}}, nullptr},
      {"with a domain", {"web01.example.org", "", {}}, {"web01", {}}, nullptr},
      {"without the domain of the machine's name", {"web01", "", {}}, {"web01.example.org", {}}, nullptr},
      {"both with it", {"web01.example.org", "", {}}, {"web01.example.org", {}}, nullptr},
      {"the master's", {"gold", "", {}}, {"web01", {}}, "'gold', and should be 'web01'"},
      {"a neighbour's", {"web011", "", {}}, {"web01", {}}, "'web011'"},
      {"another domain", {"web01.a", "", {}}, {"web01.b", {}}, "'web01.a'"},
      {"none", {"", "", {}}, {"web01", {}}, "''"},
      {"all disks, and more", {"w", "", {1, 2, 3}}, {"w", {3, 1}}, nullptr},
      {"disks of one size", {"w", "", {1}}, {"w", {1, 1}}, nullptr},
      {"a disk as small as the master's", {"w", "", {1, 2}}, {"w", {1, 4}}, "no disk of 4 bytes"},
      {"no disks", {"w", "", {}}, {"w", {512}}, "no disk of 512 bytes"},
  };
  for (const auto& one : cases) {
    const auto failure = ssh::failure_of([&] { check_portrait(one.portrait, one.expected); });
    if (one.wrong == nullptr)
      EXPECT_FALSE(failure.code) << one.what << ": " << failure;
    else
      EXPECT_TRUE(failure.is(Code::corrupt, one.wrong)) << one.what << ": " << failure;
  }
}

TEST(OnlyOnes, RefuseWhatAnotherHasAlready) {
  OnlyOnes only;
  only.take("machine-id", "abc", "web01");
  only.take("machine-id", "abc", "web01");
  only.take("host key", "abc", "web02");
  only.take("machine-id", "", "web02");
  only.take("machine-id", "", "web03");
  const auto failure = ssh::failure_of([&] { only.take("machine-id", "abc", "web02"); });
  EXPECT_TRUE(failure.is(Code::corrupt, "its machine-id abc is that of 'web01', too")) << failure;
  EXPECT_TRUE(ssh::failure_of([&] { only.take("machine-id", "abc", "web03"); }).is(Code::corrupt, "'web01'"));
}

TEST(OnlyOnes, OfManyAtOnceLetExactlyOneHaveIt) {
  OnlyOnes only;
  std::atomic<int> had = 0, refused = 0;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 8; ++i)
      threads.emplace_back([&, i] {
        for (int value = 0; value < 100; ++value) try {
            only.take("address", std::to_string(value), std::to_string(i));
            ++had;
          } catch (const base::Error&) {
            ++refused;
          }
      });
  }
  EXPECT_EQ(had, 100);
  EXPECT_EQ(refused, 700);
}

}  // namespace
}  // namespace muster::cli
