#include "disk/guest_image.h"

#include <array>
#include <filesystem>

#include <nlohmann/json.hpp>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "disk/guest_uri.h"
#include "disk/stop_signal.h"

namespace muster::disk {
namespace {

using base::Code;
using base::Error;
using nlohmann::json;

constexpr std::chrono::milliseconds kTick{5}, kStartPatience{30'000}, kEndPatience{10'000};
constexpr std::size_t kComplaintBytes = 16U << 10;
constexpr int kShellFindsNoProgram = 127;

// As ImageServer has it: a watcher in the program's group waits for the end of its standard input, which is ours, and
// ends the group; here it must unmount before the directory can go.
constexpr const char* kScript =
    "umask 077; : >\"$0/disk\"\n"
    "exec 3<&0 </dev/null\n"
    "(read -r _ <&3; trap '' TERM; kill -s TERM 0\n"
    " n=0; while [ -e \"$0/pid\" ] && [ $n -lt 100 ]; do sleep 0.1; n=$((n+1)); done\n"
    " rm -rf -- \"$0\") >/dev/null 2>&1 &\n"
    "exec \"$@\" 3<&- >/dev/null 2>\"$0/complaint\"\n";
// What is left where it had to be killed. The first is for root, the second for everybody else.
constexpr const char* kUnmount = "umount -l \"$0\" || fusermount3 -uz \"$0\"";

std::vector<std::string> command_line(const std::string& socket, const std::string& directory, Access access,
                                      std::optional<ByteRange> part) {
  const bool writable = access == Access::write;
  json blocks = {{"driver", "nbd"}, {"server", {{"type", "unix"}, {"path", socket}}}};
  if (part) blocks = {{"driver", "raw"}, {"offset", part->offset}, {"size", part->length}, {"file", std::move(blocks)}};
  blocks.update({{"node-name", "disk"}, {"read-only", !writable}});
  const json file = {{"type", "fuse"},       {"id", "file"},
                     {"node-name", "disk"},  {"mountpoint", directory + "/disk"},
                     {"writable", writable}, {"allow-other", "off"}};
  return {"sh",          "-c",       kScript,     directory,   "qemu-storage-daemon", "--blockdev",
          blocks.dump(), "--export", file.dump(), "--pidfile", directory + "/pid"};
}

// Why it did not start.
Error start_error(const std::string& action, int exit_code, const std::string& complaint) {
  if (exit_code == kShellFindsNoProgram)
    return {Code::unsupported, action + ": qemu-storage-daemon is not installed: install qemu-system-common"};
  if (::access("/dev/fuse", F_OK) != 0)
    return {Code::unsupported,
            action + ": there is no /dev/fuse: load the kernel's fuse, or let the container have it"};
  if (complaint.find("exec fusermount3") != std::string::npos)
    return {Code::unsupported, action + ": fusermount3 is not installed: install fuse3"};
  if (complaint.find("fuse: ") != std::string::npos)
    return {Code::unsupported, action + ": FUSE is not to be had here: " + complaint};
  return {Code::io, action + ": " + (complaint.empty() ? "qemu-storage-daemon ended without a word" : complaint)};
}

std::string on_one_line(std::string text) {
  while (text.ends_with('\n')) text.pop_back();
  for (auto& c : text)
    if (c == '\n') c = ';';
  return text;
}

}  // namespace

GuestImage::GuestImage(const base::Context& ctx, const std::string& uri, const std::string& name,
                       const std::string& temporary_directory, Access access, std::optional<ByteRange> part)
    : name_(name),
      directory_(temporary_directory),
      program_(command_line(socket_of_nbd_uri(uri), directory_.path(), access, part), {.environment = {"LC_ALL=C"}}) {
  await_start(ctx);
}

void GuestImage::close() {
  closed_ = true;
  program_.signal(SIGTERM);
  if (program_.wait(kEndPatience).code == 0) return;
  base::ChildProcess({"sh", "-c", kUnmount, path()}).wait(kEndPatience);
  throw Error(Code::io, name_ + ": what was written to it may not be there: " +
                            on_one_line(base::read_file(directory_.path() + "/complaint", kComplaintBytes)));
}

GuestImage::~GuestImage() {
  if (closed_) return;
  program_.signal(SIGTERM);
  if (program_.wait(kEndPatience).code == 0) return;
  base::ChildProcess({"sh", "-c", kUnmount, path()}).wait(kEndPatience);
}

void GuestImage::await_start(const base::Context& ctx) {
  const std::string action = "present " + name_ + " as a file";
  const auto deadline = base::Clock::now() + kStartPatience;
  const StopSignal stop(ctx.stop);
  // Written once the export is there.
  for (const std::string pid = directory_.path() + "/pid"; ::access(pid.c_str(), F_OK) != 0;) {
    std::array<pollfd, 1> ended{{{.fd = program_.ended_fd(), .events = POLLIN, .revents = 0}}};
    const auto now = base::Clock::now();
    if (stop.poll(ended, std::min(deadline, now + kTick))) {
      const int code = program_.wait(kEndPatience).code;
      throw start_error(action, code, on_one_line(base::read_file(directory_.path() + "/complaint", kComplaintBytes)));
    }
    if (now >= deadline) throw Error(Code::timeout, action + ": qemu-storage-daemon did not start in time");
  }
  struct stat facts {};
  if (::stat(path().c_str(), &facts) != 0) base::throw_errno(action);
  size_bytes_ = static_cast<std::uint64_t>(facts.st_size);
}

}  // namespace muster::disk
