// What the tests of `muster backup` share: a repository in the test's own directory, images that are the same in every
// run, and how two of them are compared. Not thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/e2e/end_to_end.h"

namespace muster::e2e {

using Words = std::vector<std::string>;

class BackupTest : public EndToEnd {
 protected:
  BackupTest();

  std::string repository() const { return file("repo"); }
  // `muster backup WORD...`, with MUSTER_REPOSITORY.
  Finished backup(const Words& words, const std::string& input = "");
  Launch backup_command(const Words& words) const;
  // Fails the test unless it exits with `status`.
  Finished expect(int status, const Words& words, const std::string& input = "");

  void make_repository() { expect(0, {"init", "-q"}); }
  Finished create(const std::string& name, const Words& images, const Words& more = {});
  // The results of `backup list --json`.
  std::vector<nlohmann::json> points();
  // The only key file in its usual place.
  std::string usual_key_file() const;

  // A file whose bytes follow from `seed`, and do not compress.
  std::string make_image(const std::string& name, std::size_t bytes, unsigned seed = 1) const;
  void overwrite(const std::string& path, std::size_t offset, std::size_t bytes, unsigned seed) const;
  bool same(const std::string& a, const std::string& b) const;
  // What the file takes on its file system.
  static std::uint64_t allocated_bytes(const std::string& path);
};

// Restore points of different seconds are in the order in which they were made.
void next_second();

// Bytes that follow from `seed`.
std::string noise(std::size_t bytes, unsigned seed);

// The fields that are not there.
std::string missing_fields(const nlohmann::json& object, const Words& names);

// The words, as another user who owns nothing. For root.
Words as_nobody(const Words& argv);

// A tmpfs, seen by this process and its children alone, gone with the object. For root.
class SmallFileSystem {
 public:
  SmallFileSystem(std::string path, const std::string& size);
  SmallFileSystem(const SmallFileSystem&) = delete;
  SmallFileSystem& operator=(const SmallFileSystem&) = delete;
  ~SmallFileSystem();

 private:
  std::string path_;
};

}  // namespace muster::e2e
