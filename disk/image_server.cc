#include "disk/image_server.h"

#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/error.h"
#include "disk/nbd_disk.h"
#include "disk/qemu_program.h"
#include "disk/stop_signal.h"

namespace muster::disk {
namespace {

using base::Code;
using base::Error;

// Its socket is not there at once: it is tried so often.
constexpr std::chrono::milliseconds kTryInterval{5};
// For an image's tables to be written, which SIGKILL would lose.
constexpr std::chrono::milliseconds kEndPatience{30'000};
constexpr std::size_t kComplaintBytes = 16U << 10;

// What is still running when this process is killed would keep the image locked. So a watcher in qemu-nbd's process
// group waits for the end of its standard input, which is ours, and then ends the group. PR_SET_PDEATHSIG was rejected:
// it tells of the end of the thread that started the child.
constexpr const char* kScript =
    "exec 3<&0 </dev/null\n"
    "(read -r _ <&3; rm -rf -- \"$0\"; kill -s TERM 0) >/dev/null 2>&1 &\n"
    "exec \"$@\" 3<&- >/dev/null 2>\"$0/complaint\"\n";

std::vector<std::string> command_line(const std::string& image, const std::string& directory,
                                      const ImageServerOptions& options) {
  std::vector<std::string> argv{"sh",       "-c",
                                kScript,    directory,
                                "qemu-nbd", "--persistent",
                                "-f",       name_of(options.format),
                                "-k",       directory + "/socket"};
  // One more: of a connection that was closed, the server hears later.
  argv.push_back(fmt::format("--shared={}", options.connections + 1));
  if (!options.bitmap.empty()) argv.insert(argv.end(), {"-B", options.bitmap});
  if (options.access == Access::read)
    argv.emplace_back("-r");
  else
    argv.insert(argv.end(), {"--cache=writeback", "--discard=unmap", "--detect-zeroes=off"});
  argv.push_back(path_for_qemu(image));
  return argv;
}

// qemu-nbd takes fresh memory for each request, which costs more than what it does with it: so that malloc keeps what
// was given back, which mallopt(3) says how. 1 GiB into a qcow2 image took 0.82 s that way, and 1.71 s without.
std::vector<std::string> environment() {
  return {"LC_ALL=C", "MALLOC_MMAP_THRESHOLD_=33554432", "MALLOC_TRIM_THRESHOLD_=134217728",
          "MALLOC_TOP_PAD_=67108864"};
}

// Of raw images qemu-nbd lets others write to what it reads, and reads what others write to.
DiskFile lock_of(const std::string& image, const ImageServerOptions& options) {
  if (options.format != ImageFormat::raw) return {};
  DiskFile file = open_disk_file(image, options.access);
  lock_as_qemu_does(file, image, options.access);
  if (options.access == Access::write) share_lock_with_writer(file);
  return file;
}

sockaddr_un address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path)
    throw Error(Code::usage, "the temporary directory has too long a name for a socket in it: " + path);
  path.copy(address.sun_path, path.size());
  return address;
}

// Nothing while nobody listens.
base::UniqueFd connected(const sockaddr_un& address) {
  base::UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) base::throw_errno("make a socket");
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) fd.reset();
  return fd;
}

bool greets(const base::UniqueFd& peer) {
  char byte = 0;
  return ::recv(peer.get(), &byte, 1, MSG_DONTWAIT) == 1;
}

}  // namespace

PrivateDirectory::PrivateDirectory(const std::string& parent)
    : path_((parent.empty() ? std::filesystem::temp_directory_path() : std::filesystem::absolute(parent)) /
            "muster-XXXXXX") {
  if (::mkdtemp(path_.data()) == nullptr) base::throw_errno("make a directory in " + parent);
}

PrivateDirectory::~PrivateDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

ImageServer::ImageServer(const base::Context& ctx, const std::string& image, const ImageServerOptions& options)
    : image_(image),
      lock_(lock_of(image, options)),
      directory_(options.temporary_directory),
      program_(command_line(image, directory_.path(), options), {.environment = environment()}) {
  await_start(ctx, options.start_timeout);
}

void ImageServer::close() {
  closed_ = true;
  program_.signal(SIGTERM);
  const int code = program_.wait(kEndPatience).code;
  lock_ = {};
  if (code != 0)
    throw base::Error(base::Code::io, image_ + ": what was written to it may not be there: " + complaint());
}

ImageServer::~ImageServer() {
  if (closed_) return;
  program_.signal(SIGTERM);
  program_.wait(kEndPatience);
}

std::string ImageServer::uri() const { return nbd_unix_uri(socket_path()); }

std::string ImageServer::complaint() const {
  std::ifstream file(directory_.path() + "/complaint");
  std::string text(kComplaintBytes, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  return text;
}

// qemu-nbd listens before it opens the image, and greets after that.
void ImageServer::await_start(const base::Context& ctx, std::chrono::milliseconds patience) {
  const std::string action = "serve " + image_;
  const auto address = address_of(socket_path());
  const auto deadline = base::Clock::now() + patience;
  const StopSignal stop(ctx.stop);
  for (base::UniqueFd peer;;) {
    if (!peer) peer = connected(address);
    std::array<pollfd, 2> set{{{.fd = peer.get(), .events = POLLIN, .revents = 0},
                               {.fd = program_.ended_fd(), .events = POLLIN, .revents = 0}}};
    const auto now = base::Clock::now();
    stop.poll(set, peer ? deadline : std::min(deadline, now + kTryInterval));
    if (set[1].revents != 0) throw qemu_error(action, program_.wait(kEndPatience).code, complaint());
    if (set[0].revents != 0 && greets(peer)) return;
    if (set[0].revents != 0) peer.reset();
    if (now >= deadline) throw Error(Code::timeout, action + ": qemu-nbd did not start in time: " + complaint());
  }
}

}  // namespace muster::disk
