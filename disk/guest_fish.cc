#include "disk/guest_fish.h"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <map>

#include <fmt/format.h>

#include "base/error.h"
#include "disk/guest_fish_session.h"
#include "disk/scratch_file.h"

namespace muster::disk {
namespace {

using base::Code;
using base::Context;
using base::Error;

constexpr std::size_t kAnswerBytes = 256U << 20;
constexpr std::string_view kMark = "@\n";

// A word for guestfish, whatever is in it (guestfish(1), "ESCAPE SEQUENCES IN DOUBLE QUOTED ARGUMENTS").
std::string escaped(std::string_view word) {
  std::string text;
  for (const char c : word) text += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
  return text;
}
std::string in_quotes(std::string_view word) { return '"' + escaped(word) + '"'; }

std::string shell_quoted(const std::string& word) {
  std::string text = "'";
  for (const char c : word) text += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return text + "'";
}

// Writes commands about every name in the file `names`, or about the path itself where that is no directory.
constexpr const char* kQuestions =
    "cd \"$1\" || exit\n"
    "if [ ! -e names ]; then printf 'echo @\\nstatns \"%s\"\\n' \"$FISH_PATH\"; exit; fi\n"
    "od -A n -v -t x1 names | tr -s ' ' '\\n' | awk '$1 == \"00\" {\n"
    "  printf \"echo @\\n-lstatns \\\"%s\\\\x2f%s\\\"\\n-readlink \\\"%s\\\\x2f%s\\\"\\n\", ENVIRON[\"FISH_PATH\"], "
    "name,\n"
    "    ENVIRON[\"FISH_PATH\"], name; name = \"\"; next }\n"
    "  NF { name = name \"\\\\x\" $1 }'\n";

std::vector<std::string> names_in(const std::string& path) {
  const std::string text = read_scratch(path);
  std::vector<std::string> names;
  for (std::size_t from = 0; from < text.size();) {
    const std::size_t end = std::min(text.find('\0', from), text.size());
    names.push_back(text.substr(from, end - from));
    from = end + 1;
  }
  return names;
}

std::int64_t number(const std::map<std::string_view, std::string_view>& fields, std::string_view name) {
  const auto found = fields.find(name);
  std::int64_t value = 0;
  if (found == fields.end() ||
      std::from_chars(found->second.data(), found->second.data() + found->second.size(), value).ec != std::errc())
    throw Error(Code::corrupt, "guestfish's answer lacks " + std::string(name));
  return value;
}

// Lines of `st_mode: 33188`; what comes after them is a link's target.
GuestEntry parse_answer(std::string_view text, const std::string& name) {
  std::map<std::string_view, std::string_view> fields;
  while (text.starts_with("st_") || text.starts_with("spare")) {
    const std::string_view line = text.substr(0, text.find('\n'));
    const std::size_t colon = line.find(": ");
    if (colon != std::string_view::npos) fields[line.substr(0, colon)] = line.substr(colon + 2);
    text.remove_prefix(std::min(text.size(), line.size() + 1));
  }
  const auto mode = static_cast<std::uint32_t>(number(fields, "st_mode"));
  GuestEntry entry{.name = name,
                   .type = guest_file_type(mode),
                   .size_bytes = static_cast<std::uint64_t>(number(fields, "st_size")),
                   .mode = mode & 07777U,
                   .uid = static_cast<std::uint32_t>(number(fields, "st_uid")),
                   .gid = static_cast<std::uint32_t>(number(fields, "st_gid")),
                   .modified = std::chrono::sys_seconds(std::chrono::seconds(number(fields, "st_mtime_sec")))};
  if (entry.type == GuestFileType::link) entry.target = text.substr(0, text.find_last_not_of('\n') + 1);
  return entry;
}

std::string last_name(const std::string& path) {
  const std::size_t end = path.find_last_not_of('/');
  if (end == std::string::npos) return "/";
  const std::size_t slash = path.rfind('/', end);
  return path.substr(slash + 1, end - slash);
}

}  // namespace

std::vector<GuestEntry> parse_fish_answers(std::string_view text, const std::vector<std::string>& names) {
  std::vector<GuestEntry> entries;
  for (const auto& name : names) {
    if (!text.starts_with(kMark)) throw Error(Code::corrupt, "guestfish gives too few answers");
    text.remove_prefix(kMark.size());
    const std::size_t next = text.find("\n" + std::string(kMark));
    const std::string_view answer = text.substr(0, next);
    text.remove_prefix(next == std::string_view::npos ? text.size() : next + 1);
    entries.push_back(parse_answer(answer, name));
  }
  if (!text.empty()) throw Error(Code::corrupt, "guestfish gives too many answers");
  return entries;
}

FishFiles::FishFiles(const GuestImage& image, const GuestVolume& volume, std::string name)
    : image_(image),
      device_(volume.number == 0 ? "/dev/sda" : fmt::format("/dev/sda{}", volume.number)),
      name_(std::move(name)),
      type_(volume.type) {}

GuestProgram FishFiles::guestfish(const std::string& commands) const {
  const std::string file = image_.directory() + "/fish";
  write_scratch(file, "run\nmount-ro " + device_ + " /\n" + commands);
  return {.action = fmt::format("look into {} ({})", name_, type_),
          .argv = {"guestfish", "--ro", "--format=raw", "-a", image_.path(), "-f", file},
          .package = "guestfish",
          .patience = kFishPatience};
}

void FishFiles::expect_success(const GuestProgramEnd& end, const std::string& path) const {
  if (end.code == 0) return;
  const auto says = [&](const char* words) { return end.complaint.find(words) != std::string::npos; };
  const Code code = says("No such file") || says("Not a directory")    ? Code::not_found
                    : says("is a directory") || says("Is a directory") ? Code::usage
                                                                       : Code::io;
  throw Error(code, name_ + ":" + path + ": " + end.complaint);
}

std::vector<GuestEntry> FishFiles::list(const Context& ctx, const std::string& path) {
  const std::string names = image_.directory() + "/names", questions = image_.directory() + "/questions";
  write_scratch(questions, kQuestions);
  const auto program =
      guestfish(fmt::format("-ls0 {} {}\n<! FISH_PATH={} sh {} {}\n", in_quotes(path), in_quotes(names),
                            shell_quoted(escaped(path)), shell_quoted(questions), shell_quoted(image_.directory())));
  const auto output = run_guest_program(ctx, program, kAnswerBytes);
  expect_success(output.end, path);
  const bool is_directory = std::ifstream(names).good();
  auto entries = parse_fish_answers(output.text, is_directory ? names_in(names) : std::vector{last_name(path)});
  std::sort(entries.begin(), entries.end(), [](const GuestEntry& a, const GuestEntry& b) { return a.name < b.name; });
  return entries;
}

void FishFiles::read(const Context& ctx, const std::string& path, const GuestSink& sink) {
  const auto program = guestfish(fmt::format("download {} -\n", in_quotes(path)));
  expect_success(run_guest_program(ctx, program, [&](std::string_view piece) { sink(base::as_bytes(piece)); }), path);
}

}  // namespace muster::disk
