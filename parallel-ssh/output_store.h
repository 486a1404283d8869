// Many hosts' finished outputs, kept one after the other in one temporary file: however many wait to be shown, they
// take one descriptor. Not thread-safe, but what is kept may be read beside further keep().
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/unique_fd.h"
#include "parallel-ssh/output_spool.h"

namespace muster::ssh {

class OutputStore {
 public:
  struct Stored {
    std::uint64_t offset = 0;
    std::uint64_t size_bytes = 0;
  };

  explicit OutputStore(const std::string& directory) : directory_(directory) {}

  // Throws base::Error{io, no_space}; what was kept before stays.
  Stored keep(const OutputSpool& spool);
  // Calls `take` with the bytes in order, in pieces. Throws base::Error{io}.
  void read(const Stored& stored, const std::function<void(std::string_view)>& take) const;

 private:
  std::string directory_;
  base::UniqueFd file_;
  std::uint64_t end_ = 0;
};

}  // namespace muster::ssh
