#include "cli/tunnelled_disks.h"

#include <algorithm>
#include <charconv>
#include <sstream>

#include <fmt/format.h>

#include "base/error.h"
#include "cli/ssh_image.h"
#include "cli/ssh_tunnel.h"
#include "disk/nbd_disk.h"

namespace muster::cli {
namespace {

using base::Code;
using base::Context;
using base::Error;
using disk::ImageFormat;

// Until whoever asked is gone; an export of a QEMU is there already.
constexpr const char* kStay = "echo there; exec cat >/dev/null";

struct Times {
  std::int64_t modified_ns = 0, changed_ns = 0;
};

// As `stat --format=%.9Y` writes it: seconds, a point or comma, nanoseconds.
std::optional<std::int64_t> nanoseconds(std::string word) {
  if (word.size() < 11) return std::nullopt;
  word.erase(word.size() - 10, 1);
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), number);
  return error == std::errc() && end == word.data() + word.size() && number > 0 ? std::optional(number) : std::nullopt;
}

class TunnelledDisks : public DiskAccess {
 public:
  explicit TunnelledDisks(SshPlace place) : place_(std::move(place)) {}

  void check(const VmTarget&) const override {}
  std::string directory_of(const Context& ctx, const Running& domain) const override;
  void remove_scratch(const Context& ctx, const std::string& image, const std::string& label) const override;
  Socket reach(const Context& ctx, const std::string& socket) const override {
    auto tunnel =
        std::make_shared<SshTunnel>(ctx, place_, socket, remote_command({"sh", "-c", kStay}), "reach " + socket);
    return {.path = tunnel->path(), .needs = tunnel};
  }
  disk::ImageFacts facts(const Context& ctx, const std::string& path, ImageFormat format) const override {
    const auto command = remote_command(disk::image_facts_command(path, format));
    return disk::read_image_facts(path, format, output_over_ssh(ctx, place_, command, "look at " + path));
  }
  OpenedImage open(const Context& ctx, const std::string& path, ImageFormat format) const override;
  OpenedImage open_recorded(const Context& ctx, const std::string& path, const std::string& bitmap) const override;
  void check_unwritten(const Context& ctx, const OpenedImage& image) const override;

 private:
  std::optional<Times> times_of(const Context& ctx, const std::string& path, ImageFormat format) const;
  const SshPlace place_;
};

// $1: its number, $2: whose daemon. Of the system's daemon, or of the user's own.
constexpr const char* kDirectories =
    "case $2 in session) p=${XDG_CONFIG_HOME:-$HOME/.config}/libvirt/qemu/lib;; *) p=/var/lib/libvirt/qemu;; esac\n"
    "for d in \"$p/domain-$1-\"*; do test ! -d \"$d\" || echo \"$d\"; done";

// libvirt names them by number and the beginning of the name; numbers begin again with each boot.
std::string TunnelledDisks::directory_of(const Context& ctx, const Running& domain) const {
  const bool session = place_.local_uri.find(":///session") != std::string::npos;
  std::istringstream found(output_of_script(ctx, place_, kDirectories,
                                            {std::to_string(domain.id), session ? "session" : "system"},
                                            "look for the directory of a machine's QEMU"));
  const std::string number = fmt::format("/domain-{}-", domain.id);
  for (std::string line; std::getline(found, line);)
    if (const auto at = line.rfind(number);
        line.starts_with('/') && at != std::string::npos && domain.name.starts_with(line.substr(at + number.size())))
      return line;
  throw Error(Code::unsupported,
              "the directory of the QEMU of '" + domain.name + "' on " + place_.host +
                  " is not to be seen for who logs in there: it has to be root, or the user whose machine it is");
}

void TunnelledDisks::remove_scratch(const Context& ctx, const std::string& image, const std::string& label) const {
  output_of_script(ctx, place_, "rm -f -- \"$1\".\"$2\"-*", {image, label}, "remove what is left beside " + image);
}

// Of the image and all that is below it, the youngest; nullopt for what is no regular file.
std::optional<Times> TunnelledDisks::times_of(const Context& ctx, const std::string& path, ImageFormat format) const {
  std::vector<std::string> words{"stat", "-L", "--format=%F:%.9Y:%.9Z", "--", path};
  if (format != ImageFormat::raw) {
    const auto image = facts(ctx, path, format);
    if (image.data_apart) return std::nullopt;
    for (const auto& backing : image.backing_chain) words.push_back(backing.path);
  }
  std::istringstream lines;
  try {
    lines.str(output_over_ssh(ctx, place_, remote_command(words), "look at " + path));
  } catch (const Error& e) {
    if (e.code() != Code::io) throw;
    return std::nullopt;  // below it there is what is no file
  }
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
  const auto served = serve_over_ssh(ctx, place_, path, format, disk::Access::read);
  image.reader = disk::open_nbd(ctx, served.uri, served.options);
  image.source.reader = image.reader.get();
  return image;
}

OpenedImage TunnelledDisks::open_recorded(const Context& ctx, const std::string& path,
                                          const std::string& bitmap) const {
  const auto served = serve_over_ssh(ctx, place_, path, ImageFormat::qcow2, disk::Access::read, bitmap);
  OpenedImage image;
  image.reader = disk::open_nbd(ctx, served.uri, served.options);
  image.source = {.disk = "",
                  .source = path,
                  .format = "qcow2",
                  .reader = image.reader.get(),
                  .dirty = disk::changed_ranges(ctx, served.uri, "qemu:dirty-bitmap:" + bitmap, served.options)};
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
