#include "cli/tunnelled_disks.h"

#include <algorithm>
#include <sstream>

#include <fmt/format.h>

#include "backup/ids.h"
#include "base/error.h"
#include "cli/ssh_tunnel.h"
#include "disk/nbd_disk.h"
#include "disk/qemu_program.h"
#include "parallel-ssh/command_line.h"

namespace muster::cli {
namespace {

using base::Code;
using base::Context;
using base::Error;
using disk::ImageFormat;
using ssh::in_quotes;

constexpr unsigned kConnections = 4;

// Until whoever asked is gone; an export of a QEMU is there already.
constexpr const char* kStay = "echo there; exec cat >/dev/null";

// $1: a directory to be made, for the socket; then qemu-nbd and its arguments. What it complains of comes back.
constexpr const char* kServe =
    "umask 077; d=$1; shift; mkdir \"$d\" || exit\n"
    "\"$@\" </dev/null & p=$!\n"
    "trap 'kill $p 2>/dev/null; rm -rf \"$d\"' EXIT; trap 'exit 1' HUP INT TERM PIPE\n"
    "until test -S \"$d/nbd\"; do kill -0 $p 2>/dev/null || { wait $p; exit; }; sleep 0.1; done\n"
    "echo there; cat >/dev/null";

std::string shell_command(const std::vector<std::string>& words) {
  std::string text;
  for (const auto& word : words) text += (text.empty() ? "" : " ") + in_quotes(word);
  return text;
}

struct Times {
  std::int64_t modified_ns = 0, changed_ns = 0;
};

// As `stat --format=%.9Y` writes it: seconds, a point or comma, nanoseconds.
std::optional<std::int64_t> nanoseconds(std::string word) {
  const auto digit = [](char c) { return c >= '0' && c <= '9'; };
  if (word.size() < 11 || digit(word[word.size() - 10])) return std::nullopt;
  word.erase(word.size() - 10, 1);
  if (word.size() > 19 || !std::all_of(word.begin(), word.end(), digit)) return std::nullopt;
  return std::stoll(word);
}

class TunnelledDisks : public DiskAccess {
 public:
  explicit TunnelledDisks(SshPlace place) : place_(std::move(place)) {}

  void check(const VmTarget&) const override {}
  std::string directory_of(const Context& ctx, std::int64_t domain) const override;
  Socket reach(const Context& ctx, const std::string& socket) const override {
    auto tunnel = std::make_shared<SshTunnel>(ctx, place_, socket, kStay, "reach " + socket);
    return {.path = tunnel->path(), .needs = tunnel};
  }
  disk::ImageFacts facts(const Context& ctx, const std::string& path, ImageFormat format) const override {
    const auto command = "LC_ALL=C " + shell_command(disk::image_facts_command(path, format));
    return disk::read_image_facts(path, format, output_over_ssh(ctx, place_, command, "look at " + path));
  }
  OpenedImage open(const Context& ctx, const std::string& path, ImageFormat format) const override;
  OpenedImage open_recorded(const Context& ctx, const std::string& path, const std::string& bitmap) const override;
  void check_unwritten(const Context& ctx, const OpenedImage& image) const override;

 private:
  Socket serve(const Context& ctx, const std::string& path, ImageFormat format, const std::string& bitmap) const;
  std::optional<Times> times_of(const Context& ctx, const std::string& path, ImageFormat format) const;
  disk::NbdOptions options(const std::string& path, const Socket& socket) const {
    return {.connections = kConnections, .name = place_.host + ":" + path, .needs = socket.needs};
  }

  const SshPlace place_;
};

// Of the system's daemon, and of the user's own.
std::string TunnelledDisks::directory_of(const Context& ctx, std::int64_t domain) const {
  const std::string name = fmt::format("domain-{}-*", domain);
  const std::string command = "ls -1d /var/lib/libvirt/qemu/" + name +
                              " \"${XDG_CONFIG_HOME:-$HOME/.config}\"/libvirt/qemu/lib/" + name + " 2>/dev/null; true";
  std::string found = output_over_ssh(ctx, place_, command, "look for the directory of a machine's QEMU");
  found.resize(std::min(found.size(), found.find('\n')));
  if (!found.starts_with('/'))
    throw Error(Code::unsupported,
                "the directories of QEMU on " + place_.host +
                    " are not to be seen for who logs in there: it has to be root, or the user whose "
                    "machines they are");
  return found;
}

DiskAccess::Socket TunnelledDisks::serve(const Context& ctx, const std::string& path, ImageFormat format,
                                         const std::string& bitmap) const {
  const std::string directory = "/tmp/muster-" + backup::hex(backup::random_object_id());
  std::vector<std::string> words{"sh",
                                 "-c",
                                 kServe,
                                 "sh",
                                 directory,
                                 "qemu-nbd",
                                 "--persistent",
                                 "-r",
                                 fmt::format("--shared={}", kConnections + 1),
                                 "-f",
                                 disk::name_of(format),
                                 "-k",
                                 directory + "/nbd"};
  if (!bitmap.empty()) words.insert(words.end(), {"-B", bitmap});
  words.push_back(disk::path_for_qemu(path));
  auto tunnel =
      std::make_shared<SshTunnel>(ctx, place_, directory + "/nbd", "LC_ALL=C " + shell_command(words), "open " + path);
  return {.path = tunnel->path(), .needs = tunnel};
}

// Of the image and all that is below it, the youngest; nullopt for what is no regular file.
std::optional<Times> TunnelledDisks::times_of(const Context& ctx, const std::string& path, ImageFormat format) const {
  std::vector<std::string> words{"stat", "-L", "--format=%F:%.9Y:%.9Z", "--", path};
  if (format != ImageFormat::raw)
    for (const auto& backing : facts(ctx, path, format).backing_chain) words.push_back(backing.path);
  std::istringstream lines(output_over_ssh(ctx, place_, "LC_ALL=C " + shell_command(words), "look at " + path));
  std::optional<Times> youngest;
  std::size_t count = 0;
  for (std::string line; std::getline(lines, line); ++count) {
    const std::size_t last = line.rfind(':'), middle = line.rfind(':', last - 1);
    if (!line.starts_with("regular ") || last == std::string::npos || middle == std::string::npos) return std::nullopt;
    const auto modified = nanoseconds(line.substr(middle + 1, last - middle - 1)),
               changed = nanoseconds(line.substr(last + 1));
    if (!modified || !changed) return std::nullopt;
    if (!youngest) youngest.emplace();
    youngest->modified_ns = std::max(youngest->modified_ns, *modified);
    youngest->changed_ns = std::max(youngest->changed_ns, *changed);
  }
  return count == words.size() - 4 ? youngest : std::nullopt;
}

OpenedImage TunnelledDisks::open(const Context& ctx, const std::string& path, ImageFormat format) const {
  OpenedImage image;
  image.source.source = path;
  image.source.format = disk::name_of(format);
  // Before it is read: what changes it meanwhile makes it younger than this.
  if (const auto times = times_of(ctx, path, format)) {
    image.source.modified_ns = times->modified_ns;
    image.source.changed_ns = times->changed_ns;
  }
  const Socket socket = serve(ctx, path, format, "");
  image.reader = disk::open_nbd(ctx, disk::nbd_unix_uri(socket.path), options(path, socket));
  image.source.reader = image.reader.get();
  return image;
}

OpenedImage TunnelledDisks::open_recorded(const Context& ctx, const std::string& path,
                                          const std::string& bitmap) const {
  const Socket socket = serve(ctx, path, ImageFormat::qcow2, bitmap);
  const std::string uri = disk::nbd_unix_uri(socket.path);
  OpenedImage image;
  image.reader = disk::open_nbd(ctx, uri, options(path, socket));
  image.source = {.disk = "",
                  .source = path,
                  .format = "qcow2",
                  .reader = image.reader.get(),
                  .dirty = disk::changed_ranges(ctx, uri, "qemu:dirty-bitmap:" + bitmap, options(path, socket))};
  return image;
}

// A raw image is locked there by nobody: qemu-nbd lets others write to it.
void TunnelledDisks::check_unwritten(const Context& ctx, const OpenedImage& image) const {
  if (image.source.format != "raw" || !image.source.modified_ns) return;
  const auto now = times_of(ctx, image.source.source, ImageFormat::raw);
  if (!now || now->modified_ns != *image.source.modified_ns || now->changed_ns != *image.source.changed_ns)
    throw Error(Code::busy, place_.host + ":" + image.source.source + " was written to while it was read");
}

}  // namespace

std::shared_ptr<const DiskAccess> tunnelled_disks(SshPlace place) {
  return std::make_shared<TunnelledDisks>(std::move(place));
}

}  // namespace muster::cli
