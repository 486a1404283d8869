// NBD disks on servers that do as they are told.
#include "disk/nbd_disk.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <thread>

#include "tests/disk/support.h"

namespace muster::disk {
namespace {

using base::Code;
using namespace std::chrono_literals;

struct NbdDisk : DiskTest {
  void SetUp() override { MUSTER_NEEDS("nbdkit"); }

  // nbdkit with the data of a file, options before it and parameters after it.
  Server serve_file(std::vector<std::string> options = {}, const std::vector<std::string>& parameters = {}) {
    options.insert(options.end(), {"file", image});
    options.insert(options.end(), parameters.begin(), parameters.end());
    return Server::nbdkit(dir, options);
  }

  const std::string image = dir / "behind.raw";
  const std::string log = dir / "log";
};

TEST_F(NbdDisk, SizeDataAndZeroesAreTheServers) {
  make_sparse(image, 64 * MiB + 512, {{0, 1 * MiB}, {10 * MiB, 3 * MiB}, {64 * MiB, 512}});
  const auto server = serve_file();
  const auto disk = open_nbd(ctx, server.uri());
  EXPECT_EQ(disk->size_bytes(), 64 * MiB + 512);
  EXPECT_EQ(disk->data_ranges(ctx, {0, 64 * MiB + 512}),
            (std::vector<ByteRange>{{0, 1 * MiB}, {10 * MiB, 3 * MiB}, {64 * MiB, 512}}));
  EXPECT_EQ(read_at(ctx, *disk, {10 * MiB - 4, 8}), joined({zeroes(4), pattern(10 * MiB, 4)}));
  EXPECT_EQ(disk->data_ranges(ctx, {11 * MiB + 1, 5}), (std::vector<ByteRange>{{11 * MiB + 1, 5}}));
  EXPECT_TRUE(disk->data_ranges(ctx, {0, 0}).empty());
  EXPECT_TRUE(read_at(ctx, *disk, {0, 0}).empty());
}

TEST_F(NbdDisk, ALargeReadIsSplitAndPutTogether) {
  make_sparse(image, 40 * MiB + 7, {{0, 40 * MiB + 7}});
  const auto server = serve_file({"--filter=log"}, {"logfile=" + log});
  const auto disk = open_nbd(ctx, server.uri());
  EXPECT_TRUE(read_at(ctx, *disk, {5, 37 * MiB + 3}) == pattern(5, 37 * MiB + 3));
  EXPECT_GT(logged(log, " Read "), 30U);
}

TEST_F(NbdDisk, AReadOfTwoMebibytesIsOneRequest) {
  make_sparse(image, 4 * MiB, {{0, 4 * MiB}});
  const auto server = serve_file({"--filter=log"}, {"logfile=" + log});
  const auto disk = open_nbd(ctx, server.uri());
  EXPECT_TRUE(read_at(ctx, *disk, {1, 2 * MiB}) == pattern(1, 2 * MiB));
  EXPECT_EQ(logged(log, " Read "), 1U);
}

// The server answers nobody before as many requests are there at once as the test waits for.
std::vector<std::string> answering_after(const TempDir& dir, int requests) {
  const std::string place = dir / "asked";
  std::filesystem::create_directory(place);
  return {"eval", "thread_model=echo parallel", "can_multi_conn=exit 0", "get_size=echo 64M",
          "pread=: >" + place + "/$4; while [ $(ls " + place + " | wc -l) -lt " + std::to_string(requests) +
              " ]; do sleep 0.01; done; dd if=/dev/zero bs=$3 count=1 status=none"};
}

TEST_F(NbdDisk, ALargeReadHasManyRequestsUnderWayOnOneConnection) {
  const auto server = Server::nbdkit(dir, answering_after(dir, 8));
  const auto disk = open_nbd(ctx, server.uri(), {.connections = 1, .request_timeout = 60s});
  EXPECT_EQ(read_at(ctx, *disk, {0, 8 * MiB}), zeroes(8 * MiB));
}

TEST_F(NbdDisk, ThreadsHaveRequestsUnderWayOnConnectionsOfTheirOwn) {
  const auto server = Server::nbdkit(dir, answering_after(dir, 4));
  const auto disk = open_nbd(ctx, server.uri(), {.connections = 4, .request_timeout = 60s});
  std::vector<std::jthread> threads;
  for (std::uint64_t t = 0; t < 4; ++t)
    threads.emplace_back([&, t] { EXPECT_EQ(read_at(ctx, *disk, {t * MiB, 512}), zeroes(512)); });
}

TEST_F(NbdDisk, MoreThreadsThanConnectionsWaitForEachOther) {
  make_sparse(image, 16 * MiB, {{0, 16 * MiB}});
  const auto server = serve_file();
  const auto disk = open_nbd(ctx, server.uri(), {.connections = 2});
  std::vector<std::jthread> threads;
  for (std::uint64_t t = 0; t < 8; ++t)
    threads.emplace_back([&, t] {
      for (std::uint64_t at = t * 4099; at + 64 * KiB < 16 * MiB; at += 499 * KiB)
        EXPECT_TRUE(read_at(ctx, *disk, {at, 64 * KiB}) == pattern(at, 64 * KiB));
    });
}

TEST_F(NbdDisk, WithoutMultiConnThereIsOneConnection) {
  make_sparse(image, 1 * MiB, {});
  const auto server =
      serve_file({"--filter=multi-conn", "--filter=log"}, {"multi-conn-mode=disable", "logfile=" + log});
  const auto disk = open_nbd(ctx, server.uri(), {.connections = 4});
  EXPECT_EQ(logged(log, " Connect "), 1U);
}

TEST_F(NbdDisk, WithMultiConnThereAreAsManyAsAskedFor) {
  make_sparse(image, 1 * MiB, {});
  const auto server = serve_file({"--filter=log"}, {"logfile=" + log});
  const auto disk = open_nbd(ctx, server.uri(), {.connections = 3});
  EXPECT_EQ(logged(log, " Connect "), 3U);
}

struct Warnings : base::EventSink {
  void message(base::Severity, const std::string& text) override {
    const std::lock_guard lock(mutex);
    all += text + '\n';
  }
  std::mutex mutex;
  std::string all;
};

TEST_F(NbdDisk, AServerThatTakesFewerClientsIsUsedWithAWarning) {
  make_sparse(image, 1 * MiB, {{0, 1 * MiB}});
  const auto server = serve_file({"--filter=limit"}, {"limit=2"});
  Warnings warnings;
  ctx.events = &warnings;
  const auto disk = open_nbd(ctx, server.uri(), {.connections = 4});
  EXPECT_NE(warnings.all.find("no more than 2 connections"), std::string::npos) << warnings.all;
  EXPECT_EQ(read_at(ctx, *disk, {0, 10}), pattern(0, 10));
}

TEST_F(NbdDisk, AServerThatChangesItsSizeKeepsItsFirstConnection) {
  const auto server = Server::nbdkit(
      dir, {"eval", "can_multi_conn=exit 0", "open=echo x >>" + (dir / "opened"),
            "get_size=echo $(wc -l <" + (dir / "opened") + ")M", "pread=dd if=/dev/zero bs=$3 count=1 status=none"});
  Warnings warnings;
  ctx.events = &warnings;
  const auto disk = open_nbd(ctx, server.uri(), {.connections = 3});
  EXPECT_EQ(disk->size_bytes(), 1 * MiB);
  EXPECT_NE(warnings.all.find("changes its size"), std::string::npos) << warnings.all;
}

TEST_F(NbdDisk, WhereNothingIsToldAllIsData) {
  make_sparse(image, 4 * MiB, {});
  for (const auto& filter : {std::vector<std::string>{"--filter=noextents"}, {"--no-sr"}}) {
    const auto server = serve_file(filter);
    const auto disk = open_nbd(ctx, server.uri());
    EXPECT_EQ(disk->data_ranges(ctx, {10, 3 * MiB}), (std::vector<ByteRange>{{10, 3 * MiB}})) << filter[0];
    EXPECT_EQ(read_at(ctx, *disk, {0, 10}), zeroes(10));
    std::filesystem::remove(dir / "nbdkit.socket");
  }
}

TEST_F(NbdDisk, AHoleThatMayReadAsAnythingIsData) {
  const auto server = Server::nbdkit(dir, {"eval", "get_size=echo 4M", "can_extents=exit 0",
                                           "extents=echo 0 1M hole; echo 1M 1M zero; echo 2M 1M; echo 3M 1M hole,zero",
                                           "pread=dd if=/dev/zero bs=$3 count=1 status=none"});
  const auto disk = open_nbd(ctx, server.uri());
  EXPECT_EQ(disk->data_ranges(ctx, {0, 4 * MiB}), (std::vector<ByteRange>{{0, 1 * MiB}, {2 * MiB, 1 * MiB}}));
}

TEST_F(NbdDisk, AServerThatTellsOfLittleIsAskedAgain) {
  // One extent an answer, whatever was asked for.
  const auto server = Server::nbdkit(
      dir,
      {"--filter=log", "eval", "logfile=" + log, "get_size=echo 1M", "can_extents=exit 0",
       "extents=if [ $(($4 / 65536 % 2)) = 0 ]; then echo $4 $((65536 - $4 % 65536)) 0; else echo $4 $((65536 - $4 "
       "% 65536)) 3; fi",
       "pread=dd if=/dev/zero bs=$3 count=1 status=none"});
  const auto ranges = open_nbd(ctx, server.uri())->data_ranges(ctx, {100, 1 * MiB - 100});
  ASSERT_EQ(ranges.size(), 8U);
  EXPECT_EQ(ranges[0], (ByteRange{100, 64 * KiB - 100}));
  EXPECT_EQ(ranges[7], (ByteRange{14 * 64 * KiB, 64 * KiB}));
  EXPECT_EQ(logged(log, " Extents "), 16U);
}

TEST_F(NbdDisk, MoreThanOneQuestionCoversALargeDisk) {
  make_sparse(image, 5 * TiB, {{0, 4 * KiB}, {3 * TiB, 4 * KiB}, {5 * TiB - 4 * KiB, 4 * KiB}});
  const auto server = serve_file();
  const auto disk = open_nbd(ctx, server.uri());
  EXPECT_EQ(disk->data_ranges(ctx, {0, 5 * TiB}),
            (std::vector<ByteRange>{{0, 4 * KiB}, {3 * TiB, 4 * KiB}, {5 * TiB - 4 * KiB, 4 * KiB}}));
}

TEST_F(NbdDisk, WhatIsWrittenIsReadBack) {
  make_sparse(image, 16 * MiB, {});
  const auto server = serve_file({"--filter=log"}, {"logfile=" + log});
  const auto disk = open_nbd_writer(ctx, server.uri());
  disk->write(ctx, 3, pattern(3, 9 * MiB));
  disk->write(ctx, 12 * MiB, {});
  disk->write_zeroes(ctx, {1 * MiB + 1, 2 * MiB});
  disk->flush(ctx);
  EXPECT_EQ(logged(log, " Flush "), 1U);
  auto expected = joined({zeroes(3), pattern(3, 9 * MiB), zeroes(7 * MiB - 3)});
  std::fill_n(expected.begin() + 1 * MiB + 1, 2 * MiB, std::byte{0});
  EXPECT_TRUE(read_at(ctx, *disk, {0, 16 * MiB}) == expected);
  EXPECT_TRUE(read_sparsely(ctx, *disk) == expected);
}

TEST_F(NbdDisk, ZeroesAreWrittenWhereTheServerHasNoWordForThem) {
  make_sparse(image, 4 * MiB, {{0, 4 * MiB}});
  const auto server = serve_file({"--filter=nozero"});
  const auto disk = open_nbd_writer(ctx, server.uri());
  disk->write_zeroes(ctx, {1, 3 * MiB});
  EXPECT_EQ(read_at(ctx, *disk, {0, 3 * MiB + 2}), joined({pattern(0, 1), zeroes(3 * MiB), pattern(3 * MiB + 1, 1)}));
}

TEST_F(NbdDisk, AServerOfWholeBlocksIsReadAndWrittenAtAnyByte) {
  make_sparse(image, 4 * MiB, {{0, 4 * MiB}});
  const auto server =
      serve_file({"--filter=blocksize-policy"}, {"blocksize-minimum=4096", "blocksize-preferred=4096",
                                                 "blocksize-maximum=65536", "blocksize-error-policy=error"});
  const auto disk = open_nbd_writer(ctx, server.uri());
  EXPECT_TRUE(read_at(ctx, *disk, {4095, 3 * MiB}) == pattern(4095, 3 * MiB));
  EXPECT_EQ(disk->data_ranges(ctx, {5000, 10}), (std::vector<ByteRange>{{5000, 10}}));
  disk->write(ctx, 8190, zeroes(4));
  disk->write_zeroes(ctx, {20'000, 10'000});
  EXPECT_EQ(read_at(ctx, *disk, {8189, 6}), joined({pattern(8189, 1), zeroes(4), pattern(8194, 1)}));
  EXPECT_EQ(read_at(ctx, *disk, {19'999, 10'002}), joined({pattern(19'999, 1), zeroes(10'000), pattern(30'000, 1)}));
}

TEST_F(NbdDisk, AReadOnlyExportCannotBeOpenedForWriting) {
  make_sparse(image, 1 * MiB, {});
  const auto server = serve_file({"-r"});
  expect_error(Code::unsupported, "read-only", [&] { open_nbd_writer(ctx, server.uri()); });
}

TEST_F(NbdDisk, AServerThatCannotFlushIsWarnedOf) {
  const auto server = Server::nbdkit(dir, {"eval", "get_size=echo 1M", "can_write=exit 0", "pwrite=cat >/dev/null",
                                           "pread=dd if=/dev/zero bs=$3 count=1 status=none"});
  Warnings warnings;
  ctx.events = &warnings;
  open_nbd_writer(ctx, server.uri())->flush(ctx);
  EXPECT_NE(warnings.all.find("durable"), std::string::npos) << warnings.all;
}

TEST_F(NbdDisk, NothingIsReadOrWrittenBeyondTheEnd) {
  make_sparse(image, 1 * MiB, {});
  const auto server = serve_file();
  const auto disk = open_nbd_writer(ctx, server.uri());
  expect_error(Code::io, "beyond its end", [&] { read_at(ctx, *disk, {1 * MiB - 1, 2}); });
  expect_error(Code::io, "beyond its end", [&] { disk->write(ctx, 1 * MiB, pattern(0, 1)); });
  expect_error(Code::io, "beyond its end", [&] { disk->write_zeroes(ctx, {0, 1 * MiB + 1}); });
  expect_error(Code::io, "beyond its end", [&] { disk->data_ranges(ctx, {0, 1 * MiB + 1}); });
}

TEST_F(NbdDisk, WhatTheDiskNeedsLivesAsLongAsIt) {
  make_sparse(image, 1 * MiB, {});
  const auto server = serve_file();
  auto needed = std::make_shared<int>(1);
  const std::weak_ptr<int> watched = needed;
  auto disk = open_nbd(ctx, server.uri(), {.needs = std::move(needed)});
  EXPECT_FALSE(watched.expired());
  disk.reset();
  EXPECT_TRUE(watched.expired());
}

}  // namespace
}  // namespace muster::disk
