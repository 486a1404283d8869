#include "backup/directory_storage.h"

#include <algorithm>
#include <filesystem>

#include "backup/object_name.h"
#include "base/digest.h"
#include "base/error.h"

namespace muster::backup {
namespace {

using base::Code;
using base::Error;

constexpr std::string_view kTemporaries = "tmp";
constexpr std::size_t kTemporaryDigits = 32;
// By the store's clock. Only keeps the moment between making a temporary and locking it safe: the lock is what tells.
constexpr std::chrono::hours kTemporaryAge{1};

// A mounted file system is an empty directory, too.
constexpr std::string_view kMadeByMkfs = "lost+found";

std::string_view directory_of(std::string_view name) {
  const std::size_t slash = name.rfind('/');
  return slash == std::string_view::npos ? std::string_view() : name.substr(0, slash);
}

std::string without_last_slashes(std::string path) {
  if (path.empty()) throw Error(Code::usage, "the path of a storage is empty");
  while (path.ends_with('/')) path.pop_back();
  return path;
}

// Through a link where `path` is one, for the slash.
bool is_directory_at(FileCalls& calls, const std::string& path) {
  const auto state = calls.stat(path + '/');
  return state && state->kind == FileState::Kind::directory;
}

std::string place_of_directory(const std::string& directory) {
  const std::string parent = std::filesystem::path(directory).parent_path();
  return parent.empty() ? "." : parent;
}

bool is_temporary_name(std::string_view name) {
  return name.size() == kTemporaryDigits && name.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

}  // namespace

// An unfinished object: locked as long as this lives, and gone with it unless it got its name.
class DirectoryStorage::Temporary {
 public:
  explicit Temporary(DirectoryStorage& storage) : calls_(storage.calls_) {
    const std::string directory = storage.at(kTemporaries);
    path_ = directory + '/' + base::hex(base::random_bytes(kTemporaryDigits / 2));
    file_ = calls_.create(path_);
    if (file_ == nullptr) {
      calls_.make_directory(directory);
      file_ = calls_.create(path_);
    }
    if (file_ == nullptr) throw Error(Code::io, "create " + path_ + ": its directory was taken away");
    // Without locks, others cannot lock it either, and leave it.
    file_->try_lock();
  }
  Temporary(const Temporary&) = delete;
  Temporary& operator=(const Temporary&) = delete;
  ~Temporary() {
    if (named_) return;
    try {
      calls_.unlink(path_);
    } catch (...) {
      // It stays for the next storage to drop; the error that led here tells more.
    }
  }

  OpenFile& file() { return *file_; }

  bool rename_new(const std::string& path) {
    named_ = calls_.rename_new(path_, path);
    return named_;
  }

 private:
  FileCalls& calls_;
  std::string path_;
  std::unique_ptr<OpenFile> file_;
  bool named_ = false;
};

DirectoryStorage::DirectoryStorage(std::string path, FileCalls& calls)
    : path_(without_last_slashes(std::move(path))), calls_(calls) {
  if (!is_directory_at(calls_, path_)) throw Error(Code::not_found, "no directory " + path_);
}

void DirectoryStorage::check_creatable(const std::string& path, FileCalls& calls) {
  const std::string directory = without_last_slashes(path);
  const std::string place = place_of_directory(directory);
  if (!is_directory_at(calls, place)) throw Error(Code::not_found, "no directory " + place);
  if (!calls.stat(directory)) return;
  if (!is_directory_at(calls, directory)) throw Error(Code::refused, directory + " is no directory");
  for (const auto& name : calls.list_directory(directory + '/'))
    if (name != kMadeByMkfs) throw Error(Code::refused, "directory " + directory + " is not empty");
}

void DirectoryStorage::create(const std::string& path, FileCalls& calls) {
  check_creatable(path, calls);
  const std::string directory = without_last_slashes(path);
  calls.make_directory(directory);
  calls.sync_directory(place_of_directory(directory) + '/');
}

std::string DirectoryStorage::at(std::string_view name) const {
  // With the slash at its end, the storage's own path may be a link, which no call follows otherwise.
  return path_ + '/' + std::string(name);
}

void DirectoryStorage::write_pieces(const base::Context& ctx, OpenFile& file, std::span<const base::ByteView> pieces) {
  for (const auto& piece : pieces) {
    ctx.check_stop();
    file.write(piece);
  }
  ctx.check_stop();
  file.sync();
}

// All on the way down to `name`. Those that are there already may have been made by somebody who has not synced them.
void DirectoryStorage::make_directories(std::string_view name) {
  if (name.empty()) return;
  {
    const std::lock_guard lock(mutex_);
    if (durable_directories_.contains(name)) return;
  }
  make_directories(directory_of(name));
  calls_.make_directory(at(name));
  calls_.sync_directory(at(directory_of(name)));
  const std::lock_guard lock(mutex_);
  durable_directories_.emplace(name);
}

Put DirectoryStorage::put_new(const base::Context& ctx, std::string_view name, std::span<const base::ByteView> pieces) {
  check_object_name(name);
  ctx.check_stop();
  Temporary temporary(*this);
  if (!swept_.exchange(true)) drop_dead_temporaries(temporary.file().state().modified);
  write_pieces(ctx, temporary.file(), pieces);
  make_directories(directory_of(name));
  const bool created = temporary.rename_new(at(name));
  // Also what existed: whoever made it may not have come this far.
  calls_.sync_directory(at(directory_of(name)));
  if (!created) refuse_what_is_no_file(name);
  return created ? Put::created : Put::existed;
}

// A directory or a link in an object's place is not taken for the object.
void DirectoryStorage::refuse_what_is_no_file(std::string_view name) {
  const auto state = calls_.stat(at(name));
  if (state && state->kind != FileState::Kind::file) throw Error(Code::io, at(name) + " is there, and is no file");
}

std::size_t DirectoryStorage::get_range(const base::Context& ctx, std::string_view name, std::uint64_t offset,
                                        base::MutableBytes into) {
  check_object_name(name);
  ctx.check_stop();
  const auto file = calls_.open(at(name), FileCalls::Access::read);
  if (file == nullptr) throw Error(Code::not_found, "no object " + std::string(name) + " in " + path_);
  return file->read_at(offset, into);
}

bool DirectoryStorage::is_directory(std::string_view name) {
  const auto state = calls_.stat(at(name));
  return state && state->kind == FileState::Kind::directory;
}

void DirectoryStorage::list(const base::Context& ctx, std::string_view prefix,
                            const std::function<void(const StoredObject&)>& take) {
  check_prefix(prefix);
  for (std::size_t slash = prefix.find('/'); slash != std::string_view::npos; slash = prefix.find('/', slash + 1))
    if (!is_directory(prefix.substr(0, slash))) return;
  walk(ctx, std::string(prefix), take);
}

void DirectoryStorage::walk(const base::Context& ctx, const std::string& prefix,
                            const std::function<void(const StoredObject&)>& take) {
  for (const auto& entry : calls_.list_directory(at(directory_of(prefix)))) {
    ctx.check_stop();
    const std::string name = prefix + entry;
    const auto state = is_object_name(name) ? calls_.stat(at(name)) : std::nullopt;
    if (!state) continue;
    if (state->kind == FileState::Kind::directory) walk(ctx, name + '/', take);
    if (state->kind == FileState::Kind::file)
      take({.name = name, .size_bytes = state->size_bytes, .stored = state->modified});
  }
}

bool DirectoryStorage::remove(const base::Context& ctx, std::string_view name) {
  check_object_name(name);
  ctx.check_stop();
  const std::string_view directory = directory_of(name);
  const bool removed = calls_.unlink(at(name));
  // Also where it was gone: whoever removed it may not have come this far.
  if (removed || is_directory(directory)) calls_.sync_directory(at(directory));
  return removed;
}

std::optional<StoredObject> DirectoryStorage::stat(const base::Context& ctx, std::string_view name) {
  check_object_name(name);
  ctx.check_stop();
  const auto state = calls_.stat(at(name));
  if (!state || state->kind != FileState::Kind::file) return std::nullopt;
  return StoredObject{.name = std::string(name), .size_bytes = state->size_bytes, .stored = state->modified};
}

// What killed writers left. Nothing depends on it: one that cannot be dropped is left to the next storage.
void DirectoryStorage::drop_dead_temporaries(std::chrono::sys_seconds now) try {
  for (const auto& name : calls_.list_directory(at(kTemporaries)))
    if (is_temporary_name(name)) drop_if_dead(at(kTemporaries) + '/' + name, now);
} catch (const Error&) {
}

void DirectoryStorage::drop_if_dead(const std::string& path, std::chrono::sys_seconds now) try {
  const auto file = calls_.open(path, FileCalls::Access::write);
  if (file != nullptr && file->state().modified + kTemporaryAge < now && file->try_lock()) calls_.unlink(path);
} catch (const Error&) {
  // Another user's.
}

}  // namespace muster::backup
