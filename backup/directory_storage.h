// A repository in a directory: every object is a file of its name. What is being written lies under tmp/, is synced,
// and gets its name by a rename that replaces nothing; then the directory is synced. Reading never writes. Files whose
// names are no object names are not seen, nor is what lists find behind symbolic links. An object's name is not also
// the beginning of another's (`a` and `a/b`). Thread-safe; several processes may use one directory at once.
#pragma once

#include <atomic>
#include <mutex>
#include <set>
#include <string>
#include <string_view>

#include "backup/file_calls.h"
#include "backup/storage.h"

namespace muster::backup {

class DirectoryStorage : public Storage {
 public:
  // Of a directory that is there, else throws Error{not_found}. `calls` outlives this.
  explicit DirectoryStorage(std::string path, FileCalls& calls = system_file_calls());

  // Whether create() would find its place, and nothing in it. Throws as that does.
  static void check_creatable(const std::string& path, FileCalls& calls = system_file_calls());
  // Makes the directory, mode 0700, durable once it returns. An empty one is taken as it is. Throws Error{refused} for
  // one that is not, Error{not_found} where it has no place, Error{io, no_space}.
  static void create(const std::string& path, FileCalls& calls = system_file_calls());

  Put put_new(const base::Context& ctx, std::string_view name, std::span<const base::ByteView> pieces) override;
  std::size_t get_range(const base::Context& ctx, std::string_view name, std::uint64_t offset,
                        base::MutableBytes into) override;
  void list(const base::Context& ctx, std::string_view prefix,
            const std::function<void(const StoredObject&)>& take) override;
  bool remove(const base::Context& ctx, std::string_view name) override;
  std::optional<StoredObject> stat(const base::Context& ctx, std::string_view name) override;
  std::string where() const override { return path_; }

 private:
  class Temporary;

  // Where an object or directory is; `name` is empty for the storage itself.
  std::string at(std::string_view name) const;
  void write_pieces(const base::Context& ctx, OpenFile& file, std::span<const base::ByteView> pieces);
  void make_directories(std::string_view name);
  void refuse_what_is_no_file(std::string_view name);
  bool is_directory(std::string_view name);
  void walk(const base::Context& ctx, const std::string& prefix, const std::function<void(const StoredObject&)>& take);
  void drop_dead_temporaries(std::chrono::sys_seconds now);
  void drop_if_dead(const std::string& path, std::chrono::sys_seconds now);

  const std::string path_;
  FileCalls& calls_;
  std::atomic<bool> swept_ = false;
  std::mutex mutex_;
  std::set<std::string, std::less<>> durable_directories_;
};

}  // namespace muster::backup
