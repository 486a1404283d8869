#include "cli/host_pins.h"

#include <filesystem>

#include "cli/environment.h"
#include "cli/inventory_writer.h"

namespace muster::cli {

std::string with_pins(const std::string& text, const std::string& uuid, const std::vector<std::string>& keys) {
  std::string result;
  for (std::size_t from = 0; from < text.size();) {
    const std::size_t end = std::min(text.find('\n', from), text.size() - 1) + 1;
    const std::string line = text.substr(from, end - from);
    if (!line.starts_with(uuid + " ")) result += line;
    from = end;
  }
  if (!result.empty() && result.back() != '\n') result += '\n';
  for (const auto& key : keys) result += uuid + " " + key + "\n";
  return result;
}

void pin_in_known_hosts(const Program& program, const std::string& uuid, const std::vector<std::string>& keys) {
  const auto files = program.settings.list("known-hosts");
  const std::string file = files.empty() ? home_directory() + "/.ssh/known_hosts" : files.front();
  const auto directory = std::filesystem::path(file).parent_path();
  if (std::error_code error; !directory.empty() && std::filesystem::create_directories(directory, error))
    std::filesystem::permissions(directory, std::filesystem::perms::owner_all, error);
  edit_text_file(program.ctx, file, 0600, [&](const std::string& text) { return with_pins(text, uuid, keys); });
}

}  // namespace muster::cli
