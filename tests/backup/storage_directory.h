// What the tests of directory storages share: a directory of one test's own, gone when it ends, a storage in it, and
// what others do with files in that. Not thread-safe.
#pragma once

#include <chrono>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>

#include <gtest/gtest.h>
#include <unistd.h>

#include "backup/directory_storage.h"
#include "base/error.h"
#include "tests/backup/test_directory.h"

namespace muster::backup {

// Whatever is in `directory` and below, directories too, by its path from there.
inline std::set<std::string> tree(const std::string& directory) {
  std::set<std::string> paths;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory))
    paths.insert(std::filesystem::relative(entry.path(), directory));
  return paths;
}

inline void write_file(const std::string& path, const std::string& text, std::chrono::seconds age = {}) {
  std::ofstream(path) << text;
  std::filesystem::last_write_time(path, std::filesystem::file_time_type::clock::now() - age);
}

// Of a temporary whose writer, if it has no lock, is dead.
inline constexpr std::chrono::hours kOld{2};
// The name of a temporary.
inline const std::string kDead = "tmp/0123456789abcdef0123456789abcdef";

// Beside the repository, `directory` has room for what is not in it.
struct DirectoryStorageTest : testing::Test {
  TestDirectory directory;
  std::string repository = directory.path("repository");
  base::Context ctx;

  void SetUp() override { DirectoryStorage::create(repository); }
  std::string path(const std::string& name) const { return repository + '/' + name; }
  Put put(DirectoryStorage& storage, std::string_view name, std::string_view text) const {
    return put_new(ctx, storage, name, base::as_bytes(text));
  }
  std::string get(DirectoryStorage& storage, std::string_view name) const {
    return std::string(base::as_text(get_all(ctx, storage, name, 1U << 20U)));
  }
  std::set<std::string> list(DirectoryStorage& storage) const {
    std::set<std::string> names;
    storage.list(ctx, "", [&](const StoredObject& object) { names.insert(object.name); });
    return names;
  }
};

}  // namespace muster::backup
