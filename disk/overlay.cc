#include "disk/overlay.h"

#include <cerrno>
#include <cstdio>
#include <filesystem>

#include <fcntl.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include "base/error.h"
#include "disk/new_file.h"
#include "disk/qemu_program.h"

namespace muster::disk {
namespace {

using base::Code;
using base::Error;

constexpr std::uint64_t kSectorBytes = 512;

// As QEMU has it in an image's header: whoever opens the image finds the server by that.
std::string backing_name(const ServedBacking& backing) {
  return "json:" + nlohmann::json{{"driver", "nbd"}, {"server", {{"type", "unix"}, {"path", backing.socket}}}}.dump();
}

void name_finally(const std::string& partial, const std::string& path) {
  if (::renameat2(AT_FDCWD, partial.c_str(), AT_FDCWD, path.c_str(), RENAME_NOREPLACE) == 0) return;
  if (errno == EEXIST) throw Error(Code::refused, path + " is there already");
  base::throw_errno("rename to " + path);
}

void sync_directory_of(const std::string& path) {
  const auto parent = std::filesystem::path(path).parent_path();
  const base::UniqueFd directory(::open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory || ::fsync(directory.get()) != 0) base::throw_errno("sync the directory of " + path);
}

}  // namespace

void create_overlay(const base::Context& ctx, const std::string& path, const ServedBacking& backing) {
  const std::string partial = path + ".muster-partial";
  ::unlink(partial.c_str());  // nobody has used one of that name
  NewFile file(partial);
  const std::uint64_t sectors = (backing.size_bytes + kSectorBytes - 1) / kSectorBytes;
  run_qemu_program(ctx, "make " + path,
                   {"qemu-img", "create", "-q", "-u", "-f", "qcow2", "-o", "compat=1.1,lazy_refcounts=off", "-F", "raw",
                    "-b", backing_name(backing), path_for_qemu(partial), std::to_string(sectors * kSectorBytes)});
  file.keep();
  name_finally(partial, path);
  sync_directory_of(path);
}

}  // namespace muster::disk
