// A disk in memory: bytes, what of them are holes, and how often it was read. Reads of several threads are safe as long
// as nobody writes; writes of several threads to different places are.
#pragma once

#include <atomic>
#include <cstring>
#include <mutex>
#include <vector>

#include "base/error.h"
#include "disk/block_device.h"

namespace muster::fakes {

class MemoryDisk : public disk::BlockWriter {
 public:
  explicit MemoryDisk(std::size_t size) : bytes_(size) {}
  explicit MemoryDisk(base::Bytes bytes) : bytes_(std::move(bytes)) {}

  base::Bytes& bytes() { return bytes_; }
  const base::Bytes& bytes() const { return bytes_; }
  std::uint64_t bytes_read() const { return read_; }
  std::uint64_t bytes_written() const { return written_; }
  bool flushed() const { return flushed_; }

  std::uint64_t size_bytes() const override { return bytes_.size(); }

  // In blocks of 4 KiB, as file systems tell it.
  std::vector<disk::ByteRange> data_ranges(const base::Context&, disk::ByteRange within) override {
    constexpr std::uint64_t kBlock = 4096;
    std::vector<disk::ByteRange> ranges;
    for (std::uint64_t at = within.offset; at < within.end();) {
      const std::uint64_t end = std::min((at / kBlock + 1) * kBlock, within.end());
      if (!is_zero(at, end)) {
        if (!ranges.empty() && ranges.back().end() == at)
          ranges.back().length += end - at;
        else
          ranges.push_back({at, end - at});
      }
      at = end;
    }
    return ranges;
  }

  void read(const base::Context&, std::uint64_t offset, base::MutableBytes into) override {
    check(offset, into.size());
    std::memcpy(into.data(), bytes_.data() + offset, into.size());
    read_ += into.size();
  }
  void write(const base::Context&, std::uint64_t offset, base::ByteView bytes) override {
    check(offset, bytes.size());
    std::memcpy(bytes_.data() + offset, bytes.data(), bytes.size());
    written_ += bytes.size();
  }
  void write_zeroes(const base::Context&, disk::ByteRange range) override {
    check(range.offset, range.length);
    std::memset(bytes_.data() + range.offset, 0, range.length);
  }
  void flush(const base::Context&) override { flushed_ = true; }

 private:
  bool is_zero(std::uint64_t from, std::uint64_t to) const {
    return bytes_[from] == std::byte{} && std::memcmp(&bytes_[from], &bytes_[from] + 1, to - from - 1) == 0;
  }
  void check(std::uint64_t offset, std::uint64_t length) const {
    if (offset + length > bytes_.size()) throw base::Error(base::Code::io, "beyond the end of a disk in memory");
  }

  base::Bytes bytes_;
  std::atomic<std::uint64_t> read_ = 0, written_ = 0;
  std::atomic<bool> flushed_ = false;
};

}  // namespace muster::fakes
