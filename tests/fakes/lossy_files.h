// A file system in memory that forgets what was not synced, as disks do at a power loss: bytes of a file until the file
// is synced, names in a directory (made, renamed, removed) until that directory is synced. It is worse than any real
// one: everything unsynced is kept or lost by itself, the two ends of a rename too. Paths are absolute; no links.
// Thread-safe; callbacks are called without locks.
#pragma once

#include <exception>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "backup/file_calls.h"
#include "tests/fakes/lossy_node.h"

namespace muster::fakes {

struct FileCall {
  enum class Kind { create, open, write, sync, read, state, lock, stat, rename, unlink, mkdir, sync_directory, list };
  Kind kind = Kind::create;
  std::string path;
};

// The machine is off: not a base::Error, so that nobody handles it.
class PowerCut : public std::exception {
 public:
  const char* what() const noexcept override { return "power cut by a test"; }
};

class LossyFiles : public backup::FileCalls {
 public:
  // Has `/` and nothing else.
  LossyFiles();

  // Calls so far, what failed and what was cut among them.
  std::size_t calls() const;
  // The call of that number, counted from 1, and all later ones throw PowerCut and do nothing.
  void cut_at(std::size_t number);
  // Called before each call; what it throws, the call throws, and does nothing. After a PowerCut all later ones do.
  void before_each(std::function<void(const FileCall&)> callback);
  // Of all files' bytes. A write fills what is left, then throws Error{no_space}.
  void limit_size(std::uint64_t bytes);
  // What files get that are made or written from now on.
  void set_time(std::chrono::sys_seconds time);

  // What is found when the machine is started again: every unsynced change of a name is there or not; of unsynced
  // bytes, some first sectors of 512 bytes, zeroes in place of them, or any of them. The same seed finds the same.
  // Nothing is locked, all is durable, no callback and no cut is left. This stays as it is: many seeds can be tried.
  std::unique_ptr<LossyFiles> after_power_loss(std::uint64_t seed) const;
  // What another process finds when this one was killed: everything, unlocked, and no more durable than before.
  std::unique_ptr<LossyFiles> after_kill() const;

  // Of all files, sorted.
  std::vector<std::string> paths() const;

  std::unique_ptr<backup::OpenFile> create(const std::string& path) override;
  std::unique_ptr<backup::OpenFile> open(const std::string& path, Access access) override;
  std::optional<backup::FileState> stat(const std::string& path) override;
  bool rename_new(const std::string& from, const std::string& to) override;
  bool unlink(const std::string& path) override;
  bool make_directory(const std::string& path) override;
  void sync_directory(const std::string& path) override;
  std::vector<std::string> list_directory(const std::string& path) override;

 private:
  class Handle;
  struct Place {
    LossyNodePtr directory;  // null: there is none
    std::string name;
  };

  LossyFiles(LossyNodePtr root, const LossyFiles& other);
  // Before the effect of each call: counts, calls back, throws. Returns with the mutex locked.
  std::unique_lock<std::mutex> enter(FileCall::Kind kind, const std::string& path);
  // All under the mutex.
  void count_call();
  Place place_of(const std::string& path) const;
  void append(LossyNode& file, base::ByteView bytes, const std::string& path);

  mutable std::mutex mutex_;
  LossyNodePtr root_;
  std::function<void(const FileCall&)> before_;
  std::size_t calls_ = 0;
  std::size_t cut_at_ = 0;
  bool is_off_ = false;
  std::optional<std::uint64_t> limit_bytes_;
  std::chrono::sys_seconds time_ = std::chrono::sys_days(std::chrono::year(2024) / 1 / 1);
};

}  // namespace muster::fakes
