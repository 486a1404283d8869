#include "cli/inventory_writer.h"

#include <chrono>
#include <filesystem>
#include <thread>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/durable_file.h"
#include "base/error.h"
#include "base/unique_fd.h"
#include "cli/machine_source.h"

namespace muster::cli {
namespace {

using base::Code;
using base::Error;

constexpr std::chrono::seconds kPatience{60};
constexpr std::chrono::milliseconds kTick{20};
constexpr std::size_t kMaxBytes = 64U << 20;

// A lock on the file that is there once it is had: whoever wrote before put another in its place.
class LockedFile {
 public:
  LockedFile(const base::Context& ctx, const std::string& path, mode_t mode) : mode_(mode) {
    const auto deadline = base::Clock::now() + kPatience;
    while (!try_lock(path)) {
      ctx.check_stop();
      if (base::Clock::now() > deadline)
        throw Error(Code::timeout, path + " is being written to by somebody else for too long");
      std::this_thread::sleep_for(kTick);
    }
  }
  mode_t mode() const { return mode_; }

 private:
  bool try_lock(const std::string& path) {
    fd_ = base::UniqueFd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, mode_));
    if (!fd_) base::throw_errno("open " + path);
    if (::flock(fd_.get(), LOCK_EX | LOCK_NB) != 0) {
      if (errno != EWOULDBLOCK) base::throw_errno("lock " + path);
      return false;
    }
    struct stat held {
    }, there{};
    if (::fstat(fd_.get(), &held) != 0 || ::stat(path.c_str(), &there) != 0) return false;
    mode_ = held.st_mode & 07777U;
    return held.st_ino == there.st_ino && held.st_dev == there.st_dev;
  }

  base::UniqueFd fd_;
  mode_t mode_;
};

}  // namespace

std::optional<std::string> inventory_file(const Program& program) {
  const Settings& settings = program.settings;
  if (const auto file = settings.text("add-to")) return file;
  if (!uses_inventory(settings)) return std::nullopt;
  const auto sources = inventory_sources(settings);
  if (sources.size() == 1 && !std::filesystem::is_directory(sources.front())) return sources.front();
  throw Error(Code::usage, "into which file do the new hosts go? The inventory is " +
                               std::string(sources.size() == 1 ? "a directory" : "of several files") +
                               ": write --add-to FILE");
}

bool write_hosts(const Program& program, const std::string& file, const std::vector<inventory::HostEntry>& entries) {
  const auto dialect = dialect_of(program);
  return edit_text_file(program.ctx, file, 0644,
                        [&](const std::string& text) { return inventory::with_hosts(text, file, entries, dialect); });
}

bool edit_text_file(const base::Context& ctx, const std::string& file, mode_t mode,
                    const std::function<std::string(const std::string& text)>& edit) {
  const LockedFile lock(ctx, file, mode);
  // Of a link, what it points to is replaced, and not the link. It is there by now, also where it was not before.
  std::error_code error;
  const auto real = std::filesystem::canonical(file, error);
  const std::string path = error ? file : real.string();
  const std::string before = base::read_file(path, kMaxBytes);
  const std::string after = edit(before);
  if (after == before) return false;
  base::replace_file(path, after, lock.mode());
  // As it was, whatever the umask: others of its group go on writing to it.
  if (::chmod(path.c_str(), lock.mode()) != 0) base::throw_errno("set the mode of " + path);
  return true;
}

}  // namespace muster::cli
