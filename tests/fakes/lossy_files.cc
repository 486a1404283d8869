#include "tests/fakes/lossy_files.h"

#include <algorithm>
#include <cstring>

#include "base/error.h"

namespace muster::fakes {

using backup::FileState;
using base::Code;
using base::Error;
using Kind = FileCall::Kind;

namespace {

[[noreturn]] void fail(const std::string& action, const std::string& path, const char* why) {
  throw Error(Code::io, action + ' ' + path + ": " + why);
}

FileState state_of(const LossyNode& node) {
  return {.kind = node.is_directory ? FileState::Kind::directory : FileState::Kind::file,
          .size_bytes = node.bytes.size(),
          .modified = node.modified};
}

}  // namespace

class LossyFiles::Handle : public backup::OpenFile {
 public:
  Handle(LossyFiles& files, LossyNodePtr node, std::string path)
      : files_(files), node_(std::move(node)), path_(std::move(path)) {}
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  ~Handle() override {
    const std::lock_guard lock(files_.mutex_);
    if (node_->locked_by == this) node_->locked_by = nullptr;
  }

  void write(base::ByteView bytes) override {
    const auto lock = files_.enter(Kind::write, path_);
    files_.append(*node_, bytes, path_);
  }

  void sync() override {
    const auto lock = files_.enter(Kind::sync, path_);
    node_->synced_bytes = node_->bytes.size();
  }

  std::size_t read_at(std::uint64_t offset, base::MutableBytes into) override {
    const auto lock = files_.enter(Kind::read, path_);
    if (offset >= node_->bytes.size()) return 0;
    const auto count = std::min<std::uint64_t>(into.size(), node_->bytes.size() - offset);
    if (count > 0) std::memcpy(into.data(), node_->bytes.data() + offset, count);
    return count;
  }

  FileState state() override {
    const auto lock = files_.enter(Kind::state, path_);
    return state_of(*node_);
  }

  bool try_lock() override {
    const auto lock = files_.enter(Kind::lock, path_);
    if (node_->locked_by == nullptr) node_->locked_by = this;
    return node_->locked_by == this;
  }

 private:
  LossyFiles& files_;
  LossyNodePtr node_;
  std::string path_;
};

LossyFiles::LossyFiles() : root_(std::make_shared<LossyNode>(LossyNode{.is_directory = true})) {}

LossyFiles::LossyFiles(LossyNodePtr root, const LossyFiles& other)
    : root_(std::move(root)), limit_bytes_(other.limit_bytes_), time_(other.time_) {}

std::unique_ptr<LossyFiles> LossyFiles::after_power_loss(std::uint64_t seed) const {
  const std::lock_guard lock(mutex_);
  return std::unique_ptr<LossyFiles>(new LossyFiles(survivor_of(*root_, seed), *this));
}

std::unique_ptr<LossyFiles> LossyFiles::after_kill() const {
  const std::lock_guard lock(mutex_);
  return std::unique_ptr<LossyFiles>(new LossyFiles(copy_of(*root_), *this));
}

std::vector<std::string> LossyFiles::paths() const {
  const std::lock_guard lock(mutex_);
  return paths_of_files(*root_, "/");
}

std::size_t LossyFiles::calls() const {
  const std::lock_guard lock(mutex_);
  return calls_;
}

void LossyFiles::cut_at(std::size_t number) {
  const std::lock_guard lock(mutex_);
  cut_at_ = number;
}

void LossyFiles::before_each(std::function<void(const FileCall&)> callback) {
  const std::lock_guard lock(mutex_);
  before_ = std::move(callback);
}

void LossyFiles::limit_size(std::uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  limit_bytes_ = bytes;
}

void LossyFiles::set_time(std::chrono::sys_seconds time) {
  const std::lock_guard lock(mutex_);
  time_ = time;
}

void LossyFiles::count_call() {
  ++calls_;
  if (cut_at_ != 0 && calls_ >= cut_at_) is_off_ = true;
  if (is_off_) throw PowerCut();
}

std::unique_lock<std::mutex> LossyFiles::enter(Kind kind, const std::string& path) {
  std::unique_lock lock(mutex_);
  count_call();
  if (!before_) return lock;
  const auto before = before_;
  lock.unlock();
  try {
    before({.kind = kind, .path = path});
  } catch (const PowerCut&) {
    lock.lock();
    is_off_ = true;
    throw;
  }
  lock.lock();
  return lock;
}

LossyFiles::Place LossyFiles::place_of(const std::string& path) const {
  const std::size_t slash = path.rfind('/');
  LossyNodePtr directory = find(root_, path.substr(0, slash));
  if (directory && !directory->is_directory) directory = nullptr;
  return {.directory = std::move(directory), .name = path.substr(slash + 1)};
}

void LossyFiles::append(LossyNode& file, base::ByteView bytes, const std::string& path) {
  base::ByteView fitting = bytes;
  if (limit_bytes_) {
    const std::uint64_t used = size_of_all_files(*root_), left = *limit_bytes_ > used ? *limit_bytes_ - used : 0;
    fitting = bytes.first(std::min<std::uint64_t>(bytes.size(), left));
  }
  file.bytes.insert(file.bytes.end(), fitting.data(), fitting.data() + fitting.size());
  file.modified = time_;
  if (fitting.size() < bytes.size()) throw Error(Code::no_space, "write " + path + ": the test's disk is full");
}

std::unique_ptr<backup::OpenFile> LossyFiles::create(const std::string& path) {
  const auto lock = enter(Kind::create, path);
  const auto [directory, name] = place_of(path);
  if (!directory) return nullptr;
  if (directory->names.contains(name)) fail("create", path, "exists");
  auto node = std::make_shared<LossyNode>(LossyNode{.modified = time_});
  set_name(*directory, name, node);
  return std::make_unique<Handle>(*this, std::move(node), path);
}

std::unique_ptr<backup::OpenFile> LossyFiles::open(const std::string& path, Access) {
  const auto lock = enter(Kind::open, path);
  auto node = find(root_, path);
  if (!node || node->is_directory) return nullptr;
  return std::make_unique<Handle>(*this, std::move(node), path);
}

std::optional<FileState> LossyFiles::stat(const std::string& path) {
  const auto lock = enter(Kind::stat, path);
  const auto node = find(root_, path);
  if (!node) return std::nullopt;
  return state_of(*node);
}

bool LossyFiles::rename_new(const std::string& from, const std::string& to) {
  const auto lock = enter(Kind::rename, to);
  const auto node = find(root_, from);
  const auto source = place_of(from), target = place_of(to);
  if (!node || !target.directory) fail("rename to", to, "not found");
  if (target.directory->names.contains(target.name)) return false;
  set_name(*target.directory, target.name, node);
  set_name(*source.directory, source.name, nullptr);
  return true;
}

bool LossyFiles::unlink(const std::string& path) {
  const auto lock = enter(Kind::unlink, path);
  const auto node = find(root_, path);
  if (!node || node->is_directory) return false;
  const auto [directory, name] = place_of(path);
  set_name(*directory, name, nullptr);
  return true;
}

bool LossyFiles::make_directory(const std::string& path) {
  const auto lock = enter(Kind::mkdir, path);
  const auto [directory, name] = place_of(path);
  if (!directory) fail("make directory", path, "not found");
  if (directory->names.contains(name)) return false;
  set_name(*directory, name, std::make_shared<LossyNode>(LossyNode{.is_directory = true, .modified = time_}));
  return true;
}

void LossyFiles::sync_directory(const std::string& path) {
  const auto lock = enter(Kind::sync_directory, path);
  const auto node = find(root_, path);
  if (!node || !node->is_directory) fail("sync directory", path, "not found");
  node->unsynced.clear();
}

std::vector<std::string> LossyFiles::list_directory(const std::string& path) {
  const auto lock = enter(Kind::list, path);
  std::vector<std::string> names;
  if (const auto node = find(root_, path); node && node->is_directory)
    for (const auto& entry : node->names) names.push_back(entry.first);
  return names;
}

}  // namespace muster::fakes
