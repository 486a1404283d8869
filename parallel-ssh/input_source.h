// Bytes for the standard input of many commands: a file that one thread fills while hosts read it, each at its own pace
// and from its own position. Appending belongs to one thread, reading to any.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/unique_fd.h"

namespace muster::ssh {

class InputSource {
 public:
  // Whether bytes that were read give their room on disk back; then there is one reader, which goes forward.
  enum class Keeping { all, unread };
  // Keeps the bytes in an unnamed file in `directory`. Throws base::Error{io}.
  explicit InputSource(const std::string& directory, Keeping keeping = Keeping::all);

  // Throws base::Error{io, no_space}.
  void append(std::string_view bytes);
  // What follows cannot be had: nobody may take the end of what is there for the end of the input.
  void fail(const base::Error& why);
  // Nothing follows.
  void close() { closed_.store(true, std::memory_order_release); }

  // At most `room` bytes from `offset` on; empty where there are none yet, or none any more (see ends_at). Throws what
  // the input failed with once all before was read.
  std::string read(std::uint64_t offset, std::size_t room) const;
  // With Keeping::unread: how far the reader is behind, for whoever appends and does not want to be far ahead.
  std::uint64_t unread_bytes() const { return size_bytes_ - read_to_; }
  // Nothing will ever follow `offset`.
  bool ends_at(std::uint64_t offset) const {
    return closed_.load(std::memory_order_acquire) && offset >= size_bytes_.load(std::memory_order_acquire);
  }

 private:
  void give_back(std::uint64_t offset) const;

  base::UniqueFd file_;
  const Keeping keeping_;
  mutable std::atomic<std::uint64_t> read_to_ = 0, given_back_ = 0;  // written by the reader
  std::atomic<std::uint64_t> size_bytes_ = 0;
  std::atomic<bool> closed_ = false;
  std::optional<base::Error> failure_;  // written once, before failed_
  std::atomic<bool> failed_ = false;
};

}  // namespace muster::ssh
