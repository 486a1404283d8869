// muster backup ls, cat: single files out of a restore point: of a disk, which is served to this process alone, or of
// an area.
#include "backup/restore_point.h"
#include "cli/backup_area.h"
#include "cli/backup_commands.h"
#include "cli/backup_export.h"
#include "cli/backup_point.h"
#include "cli/backup_repository.h"
#include "cli/exit_status.h"
#include "cli/guest_entries.h"
#include "disk/guest_files.h"

namespace muster::cli {
namespace {

// `vda.2`: the second partition of vda.
struct DiskWord {
  std::optional<std::string> disk;
  std::optional<unsigned> partition;
};

DiskWord parse_disk_word(const std::optional<std::string>& word) {
  const std::size_t dot = word ? word->rfind('.') : std::string::npos;
  if (dot == std::string::npos) return {word, std::nullopt};
  return {word->substr(0, dot), static_cast<unsigned>(base::parse_integer(word->substr(dot + 1), 1, 9999, *word))};
}

// The disk that is meant, as a server of it has it.
class ServedDisk {
 public:
  ServedDisk(const OpenedRepository& opened, const backup::ListedPoint& listed, const PointWord& word) {
    const auto [name, partition] = parse_disk_word(word.disk);
    const auto& disk = find_disk(listed, name);
    served_.emplace(opened.context, opened.repository, ExportOptions{.point = listed.point.id, .disk = disk.disk});
    guest_ = {.uri = served_->uri(), .name = disk.disk, .partition = partition};
  }

  const disk::GuestDisk& guest() const { return guest_; }

 private:
  std::optional<DiskExport> served_;
  disk::GuestDisk guest_;
};

int files_of_disk(const BackupCommand& command, const OpenedRepository& opened, const backup::ListedPoint& listed,
                  const PointWord& word) {
  const Program& program = command.program;
  const ServedDisk served(opened, listed, word);
  if (command.verb == "ls")
    return show_entries(program, disk::list_directory(opened.context, served.guest(), *word.path));
  disk::read_file(opened.context, served.guest(), *word.path,
                  [&](base::ByteView piece) { program.console.out(base::as_text(piece)); });
  return kAllWorked;
}

}  // namespace

int backup_files(const BackupCommand& command) {
  const Program& program = command.program;
  const PointWord word = parse_point_word(command.only_word());
  const bool list = command.verb == "ls";
  if (!word.path && !list) command.explain();
  if (!list && program.json()) program.settings.reject("json", "a file's bytes are no JSON");
  const auto opened = open_repository(program);
  const auto points = backup::list_points(opened.context, opened.repository);
  const auto& listed = find_point(points, word.point);
  if (!listed.point.area && !word.path) command.explain();
  if (!listed.point.area) return files_of_disk(command, opened, listed, word);
  const AreaOfPoint area{program, opened, listed};
  return list ? list_area_files(area, word.path.value_or("/")) : print_area_file(area, *word.path);
}

}  // namespace muster::cli
