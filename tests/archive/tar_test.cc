// archive/tar_reader.h and tar_writer.h: against GNU tar, against each other, and with input that nobody vouches for.
#include <array>
#include <cstdio>
#include <random>

#include <gtest/gtest.h>

#include "archive/tar_reader.h"
#include "archive/tar_writer.h"
#include "base/error.h"

namespace muster::archive {
namespace {

using base::Code;
using base::Error;

// Hands out `archive` in pieces.
TarReader::Source pieces_of(const std::string& archive, std::size_t piece = 1000) {
  return [&archive, piece, at = std::size_t{0}]() mutable {
    const std::string_view next = std::string_view(archive).substr(at, piece);
    at += next.size();
    return base::as_bytes(next);
  };
}

std::string output_of(const std::string& command) {
  std::string output;
  FILE* pipe = ::popen(command.c_str(), "r");
  if (pipe == nullptr) return output;
  std::array<char, 4096> piece{};
  for (std::size_t n = 0; (n = ::fread(piece.data(), 1, piece.size(), pipe)) != 0;) output.append(piece.data(), n);
  EXPECT_EQ(::pclose(pipe), 0);
  return output;
}

struct Found {
  Entry entry;
  std::string bytes;  // with holes as zeroes
  std::uint64_t data_bytes = 0;
};

std::vector<Found> read_all(const std::string& archive) {
  std::vector<Found> found;
  TarReader reader(pieces_of(archive));
  while (auto entry = reader.next()) {
    Found one{.entry = *entry, .bytes = std::string(std::min<std::uint64_t>(entry->size_bytes, 1U << 24), '\0')};
    while (const auto block = reader.next_block()) {
      if (one.bytes.size() == entry->size_bytes)
        one.bytes.replace(block->offset, block->bytes.size(), base::as_text(block->bytes));
      one.data_bytes += block->bytes.size();
    }
    found.push_back(std::move(one));
  }
  return found;
}

TEST(Tar, WhatGnuTarWritesIsReadToTheLastByte) {
  const std::string archive = output_of(
      "d=$(mktemp -d) && cd $d && printf abc >a && touch -d '1999-01-02 03:04:05.123456789' a && chmod 4751 a && ln a "
      "b "
      "&& ln -s 'no where' c && mkfifo d && mkdir e && printf x >\"$(printf 'caf\\351\\nx')\" && "
      "truncate -s 8M s && printf end >>s && find . -mindepth 1 -printf './%P\\0' | LC_ALL=C sort -z | "
      "LC_ALL=C tar --create --no-recursion --null --files-from=- --format=pax --xattrs --xattrs-include='*' --sparse "
      "--pax-option='hdrcharset:=BINARY,delete=atime'; rm -rf $d");
  const auto found = read_all(archive);
  ASSERT_EQ(found.size(), 7U);
  EXPECT_EQ(found[0].entry.path, "./a");
  EXPECT_EQ(found[0].entry.mode, 04751);
  EXPECT_EQ(found[0].entry.modified.nanoseconds, 123456789U);
  EXPECT_TRUE(found[0].entry.changed);
  EXPECT_EQ(found[0].bytes, "abc");
  EXPECT_EQ(found[1].entry.type, EntryType::hard_link);
  EXPECT_EQ(found[1].entry.target, "./a");
  EXPECT_EQ(found[2].entry.type, EntryType::symlink);
  EXPECT_EQ(found[2].entry.target, "no where");
  EXPECT_EQ(found[3].entry.path, "./caf\351\nx");
  EXPECT_EQ(found[4].entry.type, EntryType::fifo);
  EXPECT_EQ(found[5].entry.type, EntryType::directory);
  EXPECT_EQ(found[6].bytes, std::string(8U << 20, '\0') + "end");
  EXPECT_LT(found[6].data_bytes, 100000U);
}

Entry strange_entry() {
  return {.type = EntryType::file,
          .path = "caf\351/new\nline/" + std::string(300, 'x'),
          .mode = 06640,
          .uid = 4'000'000'000,
          .gid = 3'000'000'000,
          .user = "b\366rk",
          .group = "g",
          .size_bytes = 5,
          .modified = {.seconds = -5, .nanoseconds = 7},
          .xattrs = {{.name = "user.k", .value = {std::byte{0}, std::byte{'\n'}, std::byte{255}}}}};
}

TEST(Tar, WhatIsWrittenIsReadAgain) {
  std::string archive;
  TarWriter writer([&](base::ByteView bytes) { archive += base::as_text(bytes); });
  writer.begin(strange_entry());
  writer.write(base::as_bytes("hello"));
  Entry holes{.type = EntryType::file, .path = "holes", .mode = 0600, .size_bytes = 3'000'000};
  writer.begin(holes, {{.offset = 1'000'000, .length = 4}});
  writer.write(base::as_bytes(std::string(1'000'000, '\0') + "data" + std::string(1'999'996, '\0')));
  writer.begin({.type = EntryType::character_device, .path = "null", .device_major = 1, .device_minor = 3});
  writer.begin({.type = EntryType::hard_link, .path = "link", .target = "holes"});
  writer.finish();
  const auto found = read_all(archive);
  ASSERT_EQ(found.size(), 4U);
  EXPECT_EQ(found[0].entry, strange_entry());
  EXPECT_EQ(found[0].bytes, "hello");
  EXPECT_EQ(found[1].bytes.substr(1'000'000, 4), "data");
  EXPECT_LT(found[1].data_bytes, 10000U);
  EXPECT_LT(archive.size(), 30000U);
  EXPECT_EQ(found[2].entry.device_minor, 3U);
  EXPECT_EQ(found[3].entry.target, "holes");
}

TEST(Tar, TimesBefore1970AreTheSameForGnuTar) {
  const auto read =
      read_all(output_of("d=$(mktemp -d) && cd $d && touch -d '1969-12-31 23:58:20.987654321 UTC' a && tar --create "
                         "--format=pax a; rm -rf $d"));
  ASSERT_EQ(read.size(), 1U);
  const Timestamp wanted{.seconds = -100, .nanoseconds = 987654321};
  EXPECT_EQ(read.front().entry.modified, wanted);
  std::string path = output_of("mktemp -d");
  path.pop_back();
  FILE* extract = ::popen(("tar --extract --directory=" + path).c_str(), "w");
  TarWriter writer([&](base::ByteView bytes) { ::fwrite(bytes.data(), 1, bytes.size(), extract); });
  writer.begin({.type = EntryType::file, .path = "a", .modified = wanted});
  writer.finish();
  EXPECT_EQ(::pclose(extract), 0);
  EXPECT_EQ(output_of("stat --format=%.9Y " + path + "/a; rm -r " + path), "-99.012345679\n");
}

TEST(Tar, AnArchiveThatIsCutShortIsNoWhole) {
  std::string archive;
  TarWriter writer([&](base::ByteView bytes) { archive += base::as_text(bytes); });
  writer.begin({.type = EntryType::file, .path = "a", .size_bytes = 50'000});
  writer.write(base::as_bytes(std::string(50'000, 'a')));
  writer.finish();
  EXPECT_THROW(read_all(archive.substr(0, 30'000)), Error);
  EXPECT_THROW(read_all("no archive at all, whatever it is" + std::string(2000, 'x')), Error);
}

TEST(Tar, WhatTheSourceThrowsComesThrough) {
  TarReader reader([]() -> base::ByteView { throw Error(Code::unreachable, "gone"); });
  try {
    reader.next();
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), Code::unreachable);
  }
}

TEST(Tar, AttributesBeyondALimitAreLeftOut) {
  std::string archive;
  TarWriter writer([&](base::ByteView bytes) { archive += base::as_text(bytes); });
  Entry entry{.type = EntryType::file, .path = "a"};
  for (int i = 0; i < 2000; ++i)
    entry.xattrs.push_back({.name = "user." + std::to_string(i), .value = base::Bytes(10)});
  writer.begin(entry);
  writer.finish();
  TarReader reader(pieces_of(archive));
  EXPECT_EQ(reader.next()->xattrs.size(), kMaxXattrs);
  EXPECT_EQ(reader.attributes_dropped(), 2000 - kMaxXattrs);
}

// Whatever bytes are turned around, the reader ends, with an error or without.
TEST(Tar, DamageNeverDoesMoreThanFail) {
  std::string archive;
  TarWriter writer([&](base::ByteView bytes) { archive += base::as_text(bytes); });
  writer.begin(strange_entry());
  writer.write(base::as_bytes("hello"));
  writer.begin({.type = EntryType::file, .path = "holes", .size_bytes = 30'000}, {{.offset = 1000, .length = 4}});
  writer.write(base::as_bytes(std::string(30'000, '\0')));
  writer.finish();
  std::mt19937 random(1);
  for (int i = 0; i < 3000; ++i) {
    std::string damaged = archive;
    for (int j = 0; j < 3; ++j) damaged[random() % 6000 % damaged.size()] = static_cast<char>(random());
    try {
      read_all(damaged);
    } catch (const Error&) {
    }
  }
}

}  // namespace
}  // namespace muster::archive
