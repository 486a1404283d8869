// muster backup ls, cat: single files out of a disk of a restore point, which is served to this process alone.
#include <array>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "backup/restore_point.h"
#include "backup/rfc3339.h"
#include "base/digest.h"
#include "cli/backup_commands.h"
#include "cli/backup_export.h"
#include "cli/backup_point.h"
#include "cli/backup_repository.h"
#include "cli/exit_status.h"
#include "cli/json_lines.h"
#include "cli/terminal_text.h"
#include "cli/text_table.h"
#include "disk/guest_files.h"

namespace muster::cli {
namespace {

using disk::GuestEntry;
using nlohmann::json;

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
  ServedDisk(const Program& program, const PointWord& word) : opened_(open_repository(program)) {
    const auto points = backup::list_points(opened_.context, opened_.repository);
    const auto& listed = find_point(points, word.point);
    const auto [name, partition] = parse_disk_word(word.disk);
    const auto& disk = find_disk(listed, name);
    served_.emplace(opened_.context, opened_.repository, ExportOptions{.point = listed.point.id, .disk = disk.disk});
    guest_ = {.uri = served_->uri(), .name = disk.disk, .partition = partition};
  }

  const base::Context& context() const { return opened_.context; }
  const disk::GuestDisk& guest() const { return guest_; }

 private:
  OpenedRepository opened_;
  std::optional<DiskExport> served_;
  disk::GuestDisk guest_;
};

struct TypeName {
  char letter;
  const char* word;
};
TypeName name_of(disk::GuestFileType type) {
  // In the order of the enumeration.
  static constexpr std::array<TypeName, 8> kNames{{{'-', "file"},
                                                   {'d', "directory"},
                                                   {'l', "link"},
                                                   {'c', "character device"},
                                                   {'b', "block device"},
                                                   {'p', "fifo"},
                                                   {'s', "socket"},
                                                   {'?', "unknown"}}};
  return kNames.at(static_cast<std::size_t>(type));
}

// As ls(1) writes it: `rwxr-s--t`.
std::string mode_text(const GuestEntry& entry) {
  std::string text = "rwxrwxrwx";
  for (std::size_t i = 0; i < text.size(); ++i)
    if ((entry.mode >> (text.size() - 1 - i) & 1U) == 0) text[i] = '-';
  const auto special = [&](std::uint32_t bit, std::size_t at, char with, char without) {
    if ((entry.mode & bit) != 0) text[at] = text[at] == 'x' ? with : without;
  };
  special(04000, 2, 's', 'S');
  special(02000, 5, 's', 'S');
  special(01000, 8, 't', 'T');
  return name_of(entry.type).letter + text;
}

// Also what would end the line: names in a guest are whatever it likes.
std::string on_one_line(const std::string& text) {
  std::string line;
  for (const char c : visible(text)) line += c == '\n' ? "^J" : c == '\t' ? "^I" : std::string(1, c);
  return line;
}

std::string table_of(const std::vector<GuestEntry>& entries) {
  TextTable table({"MODE", "UID", "GID", "BYTES", "MODIFIED", "NAME"});
  for (const auto& entry : entries)
    table.add_row({mode_text(entry), std::to_string(entry.uid), std::to_string(entry.gid),
                   std::to_string(entry.size_bytes), local_time(entry.modified),
                   on_one_line(entry.name + (entry.target.empty() ? "" : " -> " + entry.target))});
  return table.text();
}

void add_text(json& fields, const std::string& name, const std::string& text) {
  if (is_utf8(text))
    fields[name] = text;
  else
    fields[name + "_b64"] = base::base64_encode(text);
}

std::string line_of(const GuestEntry& entry) {
  json fields{{"kind", name_of(entry.type).word},
              {"size_bytes", entry.size_bytes},
              {"mode", entry.mode},
              {"uid", entry.uid},
              {"gid", entry.gid},
              {"modified", backup::rfc3339(entry.modified)}};
  add_text(fields, "name", entry.name);
  if (!entry.target.empty()) add_text(fields, "target", entry.target);
  return json_line("result", std::move(fields));
}

int list_files(const Program& program, const ServedDisk& served, const std::string& path) {
  const auto entries = disk::list_directory(served.context(), served.guest(), path);
  if (program.json())
    for (const auto& entry : entries) program.console.out(line_of(entry));
  else if (program.settings.flag("long"))
    program.console.out(table_of(entries));
  else
    for (const auto& entry : entries) program.console.out(on_one_line(entry.name) + "\n");
  return close_backup(program, {{"entries", entries.size()}}, kAllWorked);
}

}  // namespace

int backup_files(const BackupCommand& command) {
  const Program& program = command.program;
  const PointWord word = parse_point_word(command.only_word());
  if (!word.path) command.explain();
  const bool list = command.verb == "ls";
  if (!list && program.json()) program.settings.reject("json", "a file's bytes are no JSON");
  const ServedDisk served(program, word);
  if (list) return list_files(program, served, *word.path);
  disk::read_file(served.context(), served.guest(), *word.path,
                  [&](base::ByteView piece) { program.console.out(base::as_text(piece)); });
  return kAllWorked;
}

}  // namespace muster::cli
