#include "disk/image_file.h"

#include <filesystem>

#include <unistd.h>

#include "disk/open_image.h"
#include "disk/qemu_program.h"
#include "tests/disk/support.h"

namespace muster::disk {
namespace {

using base::Code;

struct ImageFile : DiskTest {
  // Any file that begins as a qcow2 image does.
  std::string with_magic(const std::string& name) {
    write_file(dir / name, base::as_bytes("QFI\xfb and so on"));
    return dir / name;
  }
  std::string without_magic(const std::string& name) {
    write_file(dir / name, base::as_bytes("\xeb\x63\x90 boot"));
    return dir / name;
  }
  void qemu_img(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "qemu-img");
    run_well(arguments);
  }
};

TEST_F(ImageFile, NamesOfRawDisksAreRawWhateverTheyHold) {
  for (const char* name : {"a.raw", "a.img", "a.qcow2.img"}) {
    EXPECT_EQ(image_format_of(with_magic(name), std::nullopt), ImageFormat::raw) << name;
    EXPECT_EQ(image_format_of(without_magic(name + std::string(".raw")), std::nullopt), ImageFormat::raw) << name;
  }
}

TEST_F(ImageFile, NamesOfQcow2HaveToHoldIt) {
  for (const char* name : {"a.qcow2", "a.qcow"})
    EXPECT_EQ(image_format_of(with_magic(name), std::nullopt), ImageFormat::qcow2) << name;
  expect_error(Code::usage, "b.qcow2 is no qcow2", [&] { image_format_of(without_magic("b.qcow2"), std::nullopt); });
  write_file(dir / "c.qcow2", {});
  expect_error(Code::usage, "c.qcow2 is no qcow2", [&] { image_format_of(dir / "c.qcow2", std::nullopt); });
}

TEST_F(ImageFile, AnyOtherNameIsRawAndNeverGuessedToBeQcow2) {
  EXPECT_EQ(image_format_of(without_magic("disk"), std::nullopt), ImageFormat::raw);
  for (const char* name : {"disk2", "disk.QCOW2", "disk.vm", "qcow2"})
    expect_error(Code::usage, "say its format", [&] { image_format_of(with_magic(name), std::nullopt); });
}

TEST_F(ImageFile, WhatIsToldIsTaken) {
  EXPECT_EQ(image_format_of(with_magic("a"), ImageFormat::raw), ImageFormat::raw);
  EXPECT_EQ(image_format_of(with_magic("b"), ImageFormat::qcow2), ImageFormat::qcow2);
  EXPECT_EQ(image_format_of(without_magic("c.img"), ImageFormat::qcow2), ImageFormat::qcow2);
}

TEST_F(ImageFile, WhatIsNotThereHasNoFormat) {
  expect_error(Code::not_found, "nothing", [&] { image_format_of(dir / "nothing", ImageFormat::raw); });
  expect_error(Code::usage, dir.path(), [&] { image_format_of(dir.path(), std::nullopt); });
}

TEST_F(ImageFile, FactsOfARawImage) {
  MUSTER_NEEDS("qemu-img");
  make_sparse(dir / "a.raw", 10 * MiB + 512, {{1 * MiB, 1 * MiB}});
  const auto facts = image_facts(ctx, dir / "a.raw", ImageFormat::raw);
  EXPECT_EQ(facts.virtual_size_bytes, 10 * MiB + 512);
  EXPECT_EQ(facts.allocated_bytes, allocated(dir / "a.raw"));
  EXPECT_TRUE(facts.backing_chain.empty());
}

TEST_F(ImageFile, FactsOfAChainNameEveryBackingFile) {
  MUSTER_NEEDS("qemu-img");
  make_sparse(dir / "base.raw", 1 * MiB, {});
  qemu_img({"create", "-q", "-f", "qcow2", "-b", dir / "base.raw", "-F", "raw", dir / "mid.qcow2"});
  qemu_img({"create", "-q", "-f", "qcow2", "-b", "mid.qcow2", "-F", "qcow2", dir / "top.qcow2", "2M"});
  const auto facts = image_facts(ctx, dir / "top.qcow2", ImageFormat::qcow2);
  EXPECT_EQ(facts.format, ImageFormat::qcow2);
  EXPECT_EQ(facts.virtual_size_bytes, 2 * MiB);
  ASSERT_EQ(facts.backing_chain.size(), 2U);
  EXPECT_EQ(facts.backing_chain[0].path, dir / "mid.qcow2");
  EXPECT_EQ(facts.backing_chain[0].format, "qcow2");
  EXPECT_EQ(facts.backing_chain[1].path, dir / "base.raw");
  EXPECT_EQ(facts.backing_chain[1].format, "raw");
  check_backing_formats(dir / "top.qcow2", facts);
}

TEST_F(ImageFile, WhichImagesKeepBitmapsAndTheirData) {
  MUSTER_NEEDS("qemu-img");
  qemu_img({"create", "-q", "-f", "qcow2", dir / "now.qcow2", "1M"});
  qemu_img({"create", "-q", "-f", "qcow2", "-o", "compat=0.10", dir / "old.qcow2", "1M"});
  qemu_img({"create", "-q", "-f", "qcow2", "-o", "data_file=" + (dir / "data"), dir / "apart.qcow2", "1M"});
  qemu_img({"create", "-q", "-f", "qcow2", "-b", dir / "apart.qcow2", "-F", "qcow2", dir / "above.qcow2"});
  const auto facts = [&](const std::string& name) { return image_facts(ctx, dir / name, ImageFormat::qcow2); };
  EXPECT_TRUE(facts("now.qcow2").keeps_bitmaps);
  EXPECT_FALSE(facts("old.qcow2").keeps_bitmaps);
  EXPECT_FALSE(facts("now.qcow2").data_apart);
  EXPECT_TRUE(facts("apart.qcow2").data_apart);
  EXPECT_TRUE(facts("above.qcow2").data_apart);
}

TEST_F(ImageFile, AGuessedFormatOfABackingFileIsRefused) {
  MUSTER_NEEDS("qemu-img");
  qemu_img({"create", "-q", "-f", "qcow2", dir / "base", "1M"});
  qemu_img({"create", "-q", "-f", "qcow2", "-b", dir / "base", "-F", "qcow2", dir / "top.qcow2"});
  // QEMU makes no such images any more. What says so follows its header, and is made something that nobody knows.
  write_into(dir / "top.qcow2", 0x70, base::as_bytes("\x01\x02\x03\x04"));
  const auto facts = image_facts(ctx, dir / "top.qcow2", ImageFormat::qcow2);
  ASSERT_EQ(facts.backing_chain.size(), 1U);
  EXPECT_FALSE(facts.backing_chain[0].format_recorded);
  expect_error(Code::refused, "top.qcow2 does not record the format of its backing file " + (dir / "base"),
               [&] { open_image(ctx, dir / "top.qcow2"); });
}

TEST_F(ImageFile, AMissingBackingFileIsAnErrorThatNamesIt) {
  MUSTER_NEEDS("qemu-img");
  make_sparse(dir / "base.raw", 1 * MiB, {});
  qemu_img({"create", "-q", "-f", "qcow2", "-b", dir / "base.raw", "-F", "raw", dir / "top.qcow2"});
  std::filesystem::remove(dir / "base.raw");
  expect_error(Code::io, "base.raw", [&] { image_facts(ctx, dir / "top.qcow2", ImageFormat::qcow2); });
  expect_error(Code::io, "base.raw", [&] { open_image(ctx, dir / "top.qcow2"); });
}

TEST_F(ImageFile, WhatIsNoSuchImageIsAnError) {
  MUSTER_NEEDS("qemu-img");
  expect_error(Code::io, "not in qcow2 format", [&] { image_facts(ctx, without_magic("a"), ImageFormat::qcow2); });
  expect_error(Code::io, "a.qcow2", [&] { image_facts(ctx, with_magic("a.qcow2"), ImageFormat::qcow2); });
}

TEST_F(ImageFile, ANameIsAFileWhateverItLooksLike) {
  MUSTER_NEEDS("qemu-img");
  const auto before = std::filesystem::current_path();
  std::filesystem::current_path(dir.path());
  for (const char* name : {"nbd:unix:x", "-f", "json:{}", "a b;c"}) {
    make_sparse(name, 1 * MiB, {});
    EXPECT_EQ(image_facts(ctx, name, ImageFormat::raw).virtual_size_bytes, 1 * MiB) << name;
  }
  std::filesystem::current_path(before);
}

TEST_F(ImageFile, AStopEndsALookAtAnImage) {
  MUSTER_NEEDS("qemu-img");
  source.request_stop();
  make_sparse(dir / "a.raw", 1 * MiB, {});
  expect_error(Code::cancelled, "interrupted", [&] { image_facts(ctx, dir / "a.raw", ImageFormat::raw); });
}

struct QemuProgram : DiskTest {};

TEST_F(QemuProgram, OutputComesBackWhateverIsOnStandardError) {
  EXPECT_EQ(run_qemu_program(ctx, "try", {"sh", "-c", "head -c 300000 /dev/zero >&2; echo fine"}), "fine\n");
}

TEST_F(QemuProgram, TooMuchOutputIsNotBelieved) {
  expect_error(Code::corrupt, "try: more output", [&] {
    run_qemu_program(ctx, "try", {"sh", "-c", "head -c 100000 /dev/zero"}, {.output_bytes = 1000});
  });
}

TEST_F(QemuProgram, OneThatHangsIsEndedAtTheDeadline) {
  expect_error(Code::timeout, "try", [&] {
    run_qemu_program(ctx, "try", {"sleep", "600"}, {.patience = std::chrono::milliseconds(50)});
  });
}

TEST_F(QemuProgram, OneThatIsNotInstalledIsUnsupported) {
  expect_error(Code::unsupported, "install qemu-utils", [&] { run_qemu_program(ctx, "try", {"/no/such/qemu-img"}); });
  EXPECT_EQ(qemu_error("try", 127, "sh: 3: exec: qemu-nbd: not found").code(), Code::unsupported);
}

TEST_F(QemuProgram, WhatItComplainsOfIsInTheError) {
  expect_error(Code::io, "try: one; two", [&] {
    run_qemu_program(ctx, "try", {"sh", "-c", "printf 'one\\ntwo\\n' >&2; exit 3"});
  });
  expect_error(Code::io, "try: it ended without a word", [&] { run_qemu_program(ctx, "try", {"false"}); });
}

}  // namespace
}  // namespace muster::disk
