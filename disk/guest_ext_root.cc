#include "disk/guest_ext_root.h"

#include <fmt/format.h>
#include <unistd.h>

#include "base/error.h"
#include "disk/guest_program.h"
#include "disk/scratch_file.h"

namespace muster::disk {
namespace {

using base::Code;
using base::Context;
using base::Error;

// Of the image's directory: what is written, what was read again, a label of SELinux's, and commands.
constexpr const char *kContent = "content", *kAgain = "again", *kLabel = "label", *kCommands = "changes";
constexpr std::size_t kAnswerBytes = 1U << 20;
constexpr std::uint32_t kRootInode = 2, kFile = 0100000, kDirectory = 0040000;
// e2fsck's: nothing to do, mended, mended and the machine that has it mounted should be restarted.
constexpr int kMostWell = 2;
// It reads every inode of what was not unmounted well.
constexpr std::chrono::minutes kCheckPatience{30};

// A word for debugfs, whatever a temporary directory is called.
std::string in_quotes(const std::string& word) {
  std::string text = "\"";
  for (const char c : word) text += c == '"' ? "\"\"" : std::string(1, c);
  return text + "\"";
}

}  // namespace

ServedImage::ServedImage(const Context& ctx, const MachineDisk& disk, Access access, const std::string& where)
    : temporary_directory(where),
      others_server(disk.server),
      own_server(disk.uri.empty()
                     ? std::make_unique<ImageServer>(
                           ctx, disk.path,
                           ImageServerOptions{.format = disk.format, .access = access, .temporary_directory = where})
                     : nullptr),
      uri(own_server ? own_server->uri() : disk.uri),
      file(ctx, uri, disk.path, where, access) {}

void ServedImage::close() {
  file.close();
  if (own_server) own_server->close();
}

ExtRoot::ExtRoot(std::shared_ptr<ServedImage> image, const GuestVolume& volume)
    : image_(std::move(image)),
      device_(ext_device(image_->file, volume.range)),
      range_(volume.range),
      name_(name_of(image_->file, volume)),
      files_(image_->file, volume.range, name_) {}

void ExtRoot::mend(const Context& ctx) {
  if (files_.is_clean()) return;
  files_.forget();
  // e2fsck loses the offset of a file system in a larger file once it has replayed a journal.
  const GuestImage part(ctx, image_->uri, name_, image_->temporary_directory, Access::write, range_);
  const GuestProgram program{.action = "check " + name_,
                             .argv = {"e2fsck", "-f", "-p", part.path()},
                             .package = "e2fsprogs",
                             .patience = kCheckPatience};
  const auto output = run_guest_program(ctx, program, kAnswerBytes);
  if (output.end.code >= 0 && output.end.code <= kMostWell) return;
  throw Error(Code::corrupt, name_ + ": its file system has errors that e2fsck does not mend by itself: " +
                                 (output.end.complaint.empty() ? output.text : output.end.complaint));
}

ExtFiles::Place ExtRoot::place_of(const Context& ctx, const std::string& path, ExtFiles::LastLink last_link) {
  const auto place = files_.locate(ctx, path, last_link);
  if (!place) throw Error(Code::not_found, name_ + ":" + path + ": there is no such directory");
  check_plain_guest_name(name_, path, place->name);
  return *place;
}

std::string ExtRoot::quoted(const char* name) const { return in_quotes(file(name)); }

std::string ExtRoot::run(const Context& ctx, const ExtFiles::Place& place, const std::vector<std::string>& commands,
                         Access access) {
  const bool change = access == Access::write;
  std::string text = fmt::format("cd <{}>\n", place.directory);
  for (const auto& command : commands) text += command + "\n";
  write_scratch(file(kCommands), text);
  const GuestProgram program{.action = (change ? "change " : "look into ") + name_,
                             .argv = {"debugfs", change ? "-w" : "-c", "-f", file(kCommands), device_},
                             .package = "e2fsprogs"};
  if (change) files_.forget();
  const auto output = run_guest_program(ctx, program, kAnswerBytes);
  const std::string complaint = ext_complaint(output.end.complaint);
  if (output.end.code == 0 && complaint.empty()) return output.text;
  const bool full = complaint.find("Could not allocate") != std::string::npos ||
                    complaint.find("No space left on device") != std::string::npos;
  throw Error(full ? Code::no_space : Code::corrupt, program.action + ": " + complaint);
}

// Puts the label of SELinux's that an inode has into a file; false: it has none. Where the root has none, nothing has.
bool ExtRoot::take_label(const Context& ctx, std::uint32_t inode) {
  if (inode != kRootInode) {
    if (!labels_) labels_ = take_label(ctx, kRootInode);
    if (!*labels_) return false;
  }
  ::unlink(file(kLabel).c_str());
  const GuestProgram program{
      .action = "look into " + name_,
      .argv = {"debugfs", "-R", fmt::format("ea_get -f {} <{}> security.selinux", quoted(kLabel), inode), device_},
      .package = "e2fsprogs"};
  // What it says where there is none differs by version.
  run_guest_program(ctx, program, kAnswerBytes);
  return !read_scratch(file(kLabel)).empty();
}

// The label that something gets, in the file: its own, what is asked for, or its directory's.
bool ExtRoot::label_for(const Context& ctx, const ExtFiles::Place& place, const GuestOwner& fresh) {
  if (!take_label(ctx, place.found ? place.found->number : place.directory)) return false;
  if (!place.found && !fresh.label.empty()) write_scratch(file(kLabel), fresh.label);
  return true;
}

std::vector<std::string> ExtRoot::owner_commands(const std::string& name, std::uint32_t type, const GuestOwner& owner,
                                                 bool labelled) const {
  std::vector<std::string> commands{fmt::format("set_inode_field {} mode 0{:o}", name, type | owner.mode),
                                    fmt::format("set_inode_field {} uid {}", name, owner.uid),
                                    fmt::format("set_inode_field {} gid {}", name, owner.gid)};
  if (labelled) commands.push_back(fmt::format("ea_set -f {} {} security.selinux", quoted(kLabel), name));
  return commands;
}

std::vector<std::string> ExtRoot::names_in(const Context& ctx, const std::string& directory) {
  const auto place = files_.locate(ctx, directory);
  if (!place || !place->found || place->found->inode.type() != GuestFileType::directory) return {};
  std::vector<std::string> names;
  for (auto& entry : files_.names_in(ctx, place->found->number)) names.push_back(std::move(entry.name));
  return names;
}

std::optional<std::string> ExtRoot::read(const Context& ctx, const std::string& path) {
  const auto place = files_.locate(ctx, path);
  if (!place || !place->found || place->found->inode.type() != GuestFileType::file) return std::nullopt;
  if ((place->found->inode.flags & ExtInode::kEncrypted) != 0)
    throw Error(Code::unsupported, name_ + ":" + path + ": is encrypted");
  if (place->found->inode.size_bytes > kMaxFileBytes)
    throw Error(Code::corrupt, name_ + ":" + path + ": is too large for what it should be");
  std::string text;
  files_.read_inode(ctx, place->found->number, [&](base::ByteView piece) { text += base::as_text(piece); });
  return text;
}

void ExtRoot::write(const Context& ctx, const std::string& path, std::string_view content, const GuestOwner& fresh) {
  const auto place = place_of(ctx, path, ExtFiles::LastLink::followed);
  const std::string name = in_quotes(place.name);
  if (place.found && place.found->inode.type() != GuestFileType::file)
    throw Error(Code::usage, name_ + ":" + path + ": is no regular file");
  write_scratch(file(kContent), content);
  GuestOwner owner = fresh;
  std::vector<std::string> commands;
  if (place.found) {
    const auto& inode = place.found->inode;
    owner = {.mode = inode.mode & 07777U, .uid = inode.uid, .gid = inode.gid};
    commands.push_back("rm " + name);
  }
  commands.push_back("write " + quoted(kContent) + " " + name);
  const bool labelled = label_for(ctx, place, fresh);
  for (auto& command : owner_commands(name, kFile, owner, labelled)) commands.push_back(std::move(command));
  run(ctx, place, commands, Access::write);
  run(ctx, place, {"dump " + name + " " + quoted(kAgain)}, Access::read);
  if (read_scratch(file(kAgain)) != content)
    throw Error(Code::io, name_ + ":" + path + ": what was written is not what is there");
}

void ExtRoot::remove(const Context& ctx, const std::string& path) {
  const auto there = files_.locate(ctx, path, ExtFiles::LastLink::kept);
  if (!there || !there->found) return;
  if (there->found->inode.type() == GuestFileType::directory)
    throw Error(Code::usage, name_ + ":" + path + ": is a directory");
  const auto place = place_of(ctx, path, ExtFiles::LastLink::kept);
  run(ctx, place, {"rm " + in_quotes(place.name)}, Access::write);
}

void ExtRoot::make_directory(const Context& ctx, const std::string& path, const GuestOwner& fresh) {
  const auto place = place_of(ctx, path, ExtFiles::LastLink::followed);
  if (place.found && place.found->inode.type() == GuestFileType::directory) return;
  if (place.found) throw Error(Code::usage, name_ + ":" + path + ": is no directory");
  const std::string name = in_quotes(place.name);
  std::vector<std::string> commands{"mkdir " + name};
  const bool labelled = label_for(ctx, place, fresh);
  for (auto& command : owner_commands(name, kDirectory, fresh, labelled)) commands.push_back(std::move(command));
  run(ctx, place, commands, Access::write);
}

void ExtRoot::commit(const Context&) { image_->close(); }

}  // namespace muster::disk
