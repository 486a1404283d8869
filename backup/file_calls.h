// The system calls that a directory storage is made of. A seam for tests: a file system in memory, which forgets what
// was not synced, takes their place. Not for other uses of files. A link at the end of a path is never followed.
// Thread-safe; all block on the file system. What is not an answer is thrown: Error{io, no_space}, naming the path.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"

namespace muster::backup {

struct FileState {
  enum class Kind { file, directory, other } kind = Kind::other;
  std::uint64_t size_bytes = 0;
  std::chrono::sys_seconds modified;
};

// Closed with the object. Used by one thread.
class OpenFile {
 public:
  virtual ~OpenFile() = default;

  // Appends all of `bytes`. After an error any part of them may be there.
  virtual void write(base::ByteView bytes) = 0;
  // What was written is durable once it returns; whether the file has a name is up to its directory. Never tried again
  // after an error: the kernel reports it once, and has dropped the bytes.
  virtual void sync() = 0;
  // The number of bytes is smaller than `into` only at the file's end.
  virtual std::size_t read_at(std::uint64_t offset, base::MutableBytes into) = 0;
  virtual FileState state() = 0;
  // Held until the file is closed, or its process is killed. False: somebody else has it, or there are no locks here.
  virtual bool try_lock() = 0;
};

class FileCalls {
 public:
  enum class Access { read, write };

  virtual ~FileCalls() = default;

  // A new file of mode 0600, open for writing. nullptr without its directory.
  virtual std::unique_ptr<OpenFile> create(const std::string& path) = 0;
  // nullptr: there is nothing, or no file.
  virtual std::unique_ptr<OpenFile> open(const std::string& path, Access access) = 0;
  // nullopt: there is nothing.
  virtual std::optional<FileState> stat(const std::string& path) = 0;
  // Both on one file system. False: there is something at `to`, which stays, as does `from`.
  virtual bool rename_new(const std::string& from, const std::string& to) = 0;
  // False: there is nothing.
  virtual bool unlink(const std::string& path) = 0;
  // Mode 0700. False: there is something already.
  virtual bool make_directory(const std::string& path) = 0;
  // Makes what was made, renamed and unlinked in it durable, unless the file system does not know how to.
  virtual void sync_directory(const std::string& path) = 0;
  // The names in it, without `.` and `..`. Empty without a directory there.
  virtual std::vector<std::string> list_directory(const std::string& path) = 0;
};

// The operating system's.
FileCalls& system_file_calls();

}  // namespace muster::backup
