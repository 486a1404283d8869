#include "cli/guest_entries.h"

#include <array>

#include <nlohmann/json.hpp>

#include "backup/rfc3339.h"
#include "base/digest.h"
#include "cli/backup_commands.h"
#include "cli/backup_point.h"
#include "cli/exit_status.h"
#include "cli/json_lines.h"
#include "cli/terminal_text.h"
#include "cli/text_table.h"

namespace muster::cli {
namespace {

using disk::GuestEntry;
using nlohmann::json;

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

}  // namespace

std::string on_one_line(const std::string& text) {
  std::string line;
  for (const char c : visible(text)) line += c == '\n' ? "^J" : c == '\t' ? "^I" : std::string(1, c);
  return line;
}

std::string entries_table(const std::vector<GuestEntry>& entries) {
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

json entry_json(const GuestEntry& entry) {
  json fields{{"kind", name_of(entry.type).word},
              {"size_bytes", entry.size_bytes},
              {"mode", entry.mode},
              {"uid", entry.uid},
              {"gid", entry.gid},
              {"modified", backup::rfc3339(entry.modified)}};
  add_text(fields, "name", entry.name);
  if (!entry.target.empty()) add_text(fields, "target", entry.target);
  return fields;
}

int show_entries(const Program& program, const std::vector<GuestEntry>& entries) {
  if (program.json())
    for (const auto& entry : entries) program.console.out(json_line("result", entry_json(entry)));
  else if (program.settings.flag("long"))
    program.console.out(entries_table(entries));
  else
    for (const auto& entry : entries) program.console.out(on_one_line(entry.name) + "\n");
  return close_backup(program, {{"entries", entries.size()}}, kAllWorked);
}

}  // namespace muster::cli
