// A directory of one test's own, gone with all its content when the test ends. Others may pass through it, for the
// servers' sessions under another user. Not thread-safe.
#pragma once

#include <filesystem>
#include <string>

namespace muster::e2e {

class TempDir {
 public:
  TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  ~TempDir();

  const std::filesystem::path& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

// The names in `directory`, sorted.
std::string listing(const std::filesystem::path& directory);

}  // namespace muster::e2e
