// What the programs of others write about a guest's disk, as values: also where it makes no sense.
#include <chrono>

#include "disk/guest_ext_text.h"
#include "disk/guest_fish.h"
#include "disk/guest_program.h"
#include "disk/guest_uri.h"
#include "tests/disk/support.h"

namespace muster::disk {
namespace {

using base::Code;
using namespace std::chrono_literals;

constexpr const char* kLink =
    "0000  ffa1 e803 0a00 0000 665d 0a6b 665d 0a6b  ........f].kf].k\n"
    "0020  665d 0a6b 0000 0000 0700 0100 0000 0000  f].k............\n"
    "0040  0000 0000 0000 0000 2f65 7463 2f66 7374  ......../etc/fst\n"
    "0060  6162 0000 0000 0000 0000 0000 0000 0000  ab..............\n"
    "0100  0000 0000 0000 0000 0000 0000 0000 0000  ................\n"
    "*\n"
    "0160  0000 0000 0000 0000 0100 0200 453f 0000  ............E?..\n"
    "0200  2000 f32a 0000 0000 0100 0000 0000 0000   ..*............\n"
    "0220  675d 0a6b 0000 0000 0000 0000 0000 0000  g].k............\n"
    "0240  0000 0000 0000 0000 0000 0000 0000 0000  ................\n"
    "*\n"
    "\n";

TEST(ExtText, AnInodeIsReadFromItsDump) {
  const ExtInode inode = parse_ext_inode(kLink);
  EXPECT_EQ(inode.type(), GuestFileType::link);
  EXPECT_EQ(inode.mode & 07777U, 0777U);
  EXPECT_EQ(inode.uid, 1000U + 65536U);
  EXPECT_EQ(inode.gid, 7U + 2U * 65536U);
  EXPECT_EQ(inode.size_bytes, 10U);
  EXPECT_EQ(base::as_text(base::ByteView(inode.blocks).first(10)), "/etc/fstab");
  EXPECT_EQ(inode.modified.time_since_epoch().count(), 0x6b0a5d66LL + (1LL << 32));
}

TEST(ExtText, WhatIsNoDumpIsDamage) {
  for (const std::string text : {"", "\n", "*\n", "0000\n", "0000  zzzz\n", "zz  0000\n", "0000  ffa1 e803\n"})
    expect_error(Code::corrupt, "debugfs", [&] { parse_ext_inode(text); });
}

TEST(ExtText, NamesOfADirectoryMayHoldAnythingButSlashes) {
  const auto names = parse_ext_directory(
      "/2/040755/0/0/.//\n/2/040755/0/0/..//\n/12/100644/0/0/new\nline/2/\n/13/040755/0/0/ "
      "//\n/0/000000/0/0/gone/0/\n\n");
  ASSERT_EQ(names.size(), 2U);
  EXPECT_EQ(names[0].inode, 12U);
  EXPECT_EQ(names[0].name, "new\nline");
  EXPECT_EQ(names[1].name, " ");
  expect_error(Code::corrupt, "debugfs", [] { parse_ext_directory("/x/1/2/3/name/4/\n"); });
  expect_error(Code::corrupt, "makes no sense", [] { parse_ext_directory("/1/1/2/3/name/4"); });
}

TEST(ExtText, AnswersAreToldApartByTheirCommands) {
  const auto answers = split_ext_answers("debugfs: one <1>\na\nb\n\ndebugfs: two\ndebugfs: three\nc debugfs: d\n", 3);
  EXPECT_EQ(answers, (std::vector<std::string_view>{"a\nb\n\n", "", "c debugfs: d\n"}));
  expect_error(Code::corrupt, "answers", [] { split_ext_answers("debugfs: one\n", 2); });
  expect_error(Code::corrupt, "answers", [] { split_ext_answers("nothing", 1); });
}

TEST(ExtText, TheLineThatDebugfsAlwaysWritesIsNoComplaint) {
  EXPECT_EQ(ext_complaint("debugfs 1.47.0 (5-Feb-2023)"), "");
  EXPECT_EQ(ext_complaint("debugfs 1.47.0 (5-Feb-2023); <9>: File not found"), "<9>: File not found");
  EXPECT_EQ(ext_complaint("no such thing"), "no such thing");
}

TEST(FishText, EntriesAreReadFromAnswers) {
  const auto entries = parse_fish_answers(
      "@\nst_dev: 1\nst_mode: 33188\nst_uid: 5\nst_gid: 6\nst_size: 7\nst_mtime_sec: 8\nst_spare1: 0\n"
      "@\nst_mode: 41471\nst_uid: 0\nst_gid: 0\nst_size: 3\nst_mtime_sec: -1\nabc\n",
      {"file", "link"});
  ASSERT_EQ(entries.size(), 2U);
  EXPECT_EQ(entries[0].type, GuestFileType::file);
  EXPECT_EQ(entries[0].mode, 0644U);
  EXPECT_EQ(entries[0].size_bytes, 7U);
  EXPECT_EQ(entries[1].name, "link");
  EXPECT_EQ(entries[1].target, "abc");
  EXPECT_EQ(entries[1].modified.time_since_epoch().count(), -1);
  expect_error(Code::corrupt, "too few", [] { parse_fish_answers("", {"file"}); });
  expect_error(Code::corrupt, "too many", [] { parse_fish_answers("@\n", {}); });
  expect_error(Code::corrupt, "lacks st_mode", [] { parse_fish_answers("@\nst_size: 1\n", {"file"}); });
}

TEST(GuestUri, PathsGoIntoUrisAndComeOut) {
  for (const std::string path : {"/run/s", "/a b/%2f&c#d?e=f", "/\xc3\xa9\xff"})
    EXPECT_EQ(socket_of_nbd_uri(nbd_uri_of_socket(path)), path);
  EXPECT_EQ(nbd_uri_of_socket("/a b"), "nbd+unix:///?socket=/a%20b");
  for (const std::string uri : {"", "nbd://host", "nbd+unix:///export?socket=/s", "nbd+unix:///?socket=",
                                "nbd+unix:///?socket=/s%2", "nbd+unix:///?socket=/s%zz", "nbd+unix:///?socket=/s&x=1"})
    expect_error(Code::usage, "not an NBD URI", [&] { socket_of_nbd_uri(uri); });
}

class GuestPrograms : public DiskTest {
 protected:
  GuestProgramOutput shell(const std::string& script, std::size_t most = 1000) {
    return run_guest_program(
        ctx, {.action = "try", .argv = {"sh", "-c", script}, .package = "dash", .patience = patience_}, most);
  }
  std::chrono::milliseconds patience_{30'000};
};

TEST_F(GuestPrograms, OutputComplaintAndStatusComeBack) {
  const auto output = shell("echo out; echo one >&2; echo two >&2; exit 3");
  EXPECT_EQ(output.text, "out\n");
  EXPECT_EQ(output.end.complaint, "one; two");
  EXPECT_EQ(output.end.code, 3);
  EXPECT_EQ(shell("kill -KILL $$").end.code, -1);
}

TEST_F(GuestPrograms, LimitsHold) {
  expect_error(Code::corrupt, "try: sh says more than is believable", [&] { shell("yes | head -c 2000", 1000); });
  patience_ = 50ms;
  expect_error(Code::timeout, "try: sh said nothing for", [&] { shell("sleep 60"); });
  source.request_stop();
  expect_error(Code::cancelled, "", [&] { shell("sleep 60"); });
}

TEST_F(GuestPrograms, WhatIsNotInstalledNamesItsPackage) {
  expect_error(Code::unsupported, "try: muster-no-such is not installed: install nothing", [&] {
    run_guest_program(ctx, {.action = "try", .argv = {"muster-no-such"}, .package = "nothing"}, 10);
  });
}

}  // namespace
}  // namespace muster::disk
