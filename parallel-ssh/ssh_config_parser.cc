#include "parallel-ssh/ssh_config_parser.h"

#include <algorithm>
#include <filesystem>

#include <fmt/format.h>
#include <glob.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/text.h"
#include "base/unique_fd.h"
#include "parallel-ssh/ssh_config_lexer.h"
#include "parallel-ssh/ssh_pattern.h"

namespace muster::ssh {
namespace {

constexpr int kMaxDepth = 16;  // OpenSSH's READCONF_MAX_DEPTH
constexpr std::size_t kMaxBytes = 16U << 20;
constexpr std::size_t kMaxFiles = 4096;  // files that include each other in a tree multiply before they grow

using base::Code;
using base::Error;

// Matches its own text alone, so that a hash finds it.
bool is_literal(std::string_view pattern) { return pattern.find_first_of("*?!") == std::string_view::npos; }

void index_sections(ConfigFile& file) {
  for (std::size_t i = 0; i < file.sections.size(); ++i) {
    const auto& section = file.sections[i];
    const bool literal = section.kind == ConfigSection::Kind::host &&
                         std::all_of(section.host_patterns.begin(), section.host_patterns.end(), is_literal);
    if (!literal) file.always_tried.push_back(i);
    if (!literal) continue;
    for (const auto& pattern : section.host_patterns) {
      auto& places = file.by_literal[pattern];
      if (places.empty() || places.back() != i) places.push_back(i);
    }
  }
}

std::string expand_home(const std::string& path, const LocalFacts& facts) {
  return path == "~" || path.starts_with("~/") ? facts.home + path.substr(1) : path;
}

std::vector<std::string> glob_paths(const std::string& pattern) {
  glob_t found{};
  const int status = ::glob(pattern.c_str(), GLOB_NOCHECK, nullptr, &found);  // NOLINT(concurrency-mt-unsafe): no ~user
  std::vector<std::string> paths;
  if (status == 0)
    for (std::size_t i = 0; i < found.gl_pathc; ++i) paths.emplace_back(found.gl_pathv[i]);
  ::globfree(&found);
  return paths;
}

class Parser {
 public:
  Parser(const base::Context& ctx, const LocalFacts& facts) : ctx_(ctx), facts_(facts) {}

  void add_source(const ConfigSource& source) {
    const std::string path = expand_home(source.path, facts_);
    const bool optional = source.presence == ConfigSource::Presence::optional;
    if (auto file = read(path, source.kind, optional)) parsed_.files.push_back(std::move(file));
  }

  void add_text(std::string_view text, const std::string& name) {
    parsed_.files.push_back(parse(text, name, ConfigSource::Kind::user));
  }

  ParsedConfig take() { return std::move(parsed_); }

 private:
  // Where a line stands, and the file being built.
  struct Place {
    std::shared_ptr<const std::string> name;
    ConfigSource::Kind kind;
    int line = 0;
    ConfigFile* file;

    std::string text() const { return fmt::format("{}:{}", *name, line); }
    ConfigSection& section() const { return file->sections.back(); }
  };

  // nullptr where a file is missing or closed to us, and may be.
  std::unique_ptr<ConfigFile> read(const std::string& path, ConfigSource::Kind kind, bool optional) {
    struct stat facts {};
    if (::stat(path.c_str(), &facts) != 0) {
      if (optional && (errno == ENOENT || errno == EACCES || errno == ENOTDIR)) return nullptr;
      base::throw_errno("read " + path);
    }
    if (S_ISDIR(facts.st_mode)) throw Error(Code::usage, path + ": is a directory; write a file, or a folder's '/*'");
    // Whoever can write this file can have commands run as its reader.
    const bool safe = (facts.st_uid == 0 || facts.st_uid == facts_.uid) && (facts.st_mode & 022) == 0;
    if (kind == ConfigSource::Kind::user && !safe)
      throw Error(Code::usage, path + ": others may write to it; run chmod go-w on it, or make it your own");
    try {
      return parse(base::read_file(path, kMaxBytes), path, kind);
    } catch (const Error& e) {
      if (e.code() == Code::usage || !optional || ::access(path.c_str(), R_OK) == 0) throw;
      return nullptr;
    }
  }

  std::unique_ptr<ConfigFile> parse(std::string_view text, const std::string& name, ConfigSource::Kind kind) {
    bytes_ += text.size();
    if (bytes_ > kMaxBytes || ++files_ > kMaxFiles)
      throw Error(Code::usage, name + ": the configuration with all its includes is too large");
    auto file = std::make_unique<ConfigFile>();
    file->sections.emplace_back(ConfigSection::Kind::unconditional);
    Place place{std::make_shared<const std::string>(name), kind, 0, file.get()};
    while (!text.empty()) {
      const auto end = std::min(text.find('\n'), text.size());
      ++place.line;
      parse_line(place, trim_line(text.substr(0, end)));
      text.remove_prefix(std::min(end + 1, text.size()));
    }
    index_sections(*file);
    return file;
  }

  void parse_line(const Place& place, std::string_view line) {
    if (line.empty() || line.front() == '#') return;
    std::vector<std::string> includes;
    try {
      if (line.find('\0') != std::string_view::npos) throw Error(Code::usage, "the line has a zero byte");
      includes = parse_directive(place, line);
    } catch (const Error& e) {
      throw Error(e.code(), place.text() + ": " + e.what());
    }
    for (const auto& path : includes) include(place, path);
  }

  // What an Include line names; empty for all others.
  std::vector<std::string> parse_directive(const Place& place, std::string_view rest) {
    auto written = take_word(rest);
    if (written && written->empty()) written = take_word(rest);
    const std::string name = base::lower_case(written.value_or(""));
    const KeywordRow* row = find_keyword(name);
    if (row == nullptr) {
      reject_unknown(name);
      return {};
    }
    if (rest.empty()) throw Error(Code::usage, name + " has no value; write one after it");
    if (row->keyword == Keyword::match) {
      begin_match(place, rest);
      return {};
    }
    auto values = check_values(*row, read_values(*row, rest));
    if (row->keyword == Keyword::include) return values;
    add(place, *row, std::move(values));
    return {};
  }

  static std::vector<std::string> read_values(const KeywordRow& row, std::string_view rest) {
    auto words = split_values(rest);  // quotes are checked for every keyword
    if (row.form == ValueForm::command) return {std::string(rest)};
    if (row.form == ValueForm::jump) return {std::string(rest.substr(0, rest.find_first_of(" \t")))};
    return words;
  }

  // OpenSSH goes by the IgnoreUnknown that applies to the host. Without a host at hand, any earlier one counts.
  void reject_unknown(const std::string& name) {
    for (const auto& patterns : ignored_)
      if (match_list(patterns, name) == ListMatch::included) return;
    throw Error(Code::usage, "bad configuration option '" + name + "'; correct it, or name it in IgnoreUnknown before");
  }

  void add(const Place& place, const KeywordRow& row, std::vector<std::string> values) {
    switch (row.keyword) {
      case Keyword::ignored:
        return;
      case Keyword::deprecated:
      case Keyword::unsupported:
        ctx_.warn(fmt::format("{}: {} is an option that OpenSSH no longer has; remove it", place.text(), row.name));
        return;
      case Keyword::ignore_unknown:
        ignored_.push_back(base::lower_case(values[0]));
        return;
      case Keyword::host:
        place.file->sections.emplace_back(ConfigSection::Kind::host).host_patterns = std::move(values);
        return;
      default:
        place.section().entries.emplace_back(Setting{row.keyword, std::move(values), place.name, place.line});
    }
  }

  void include(const Place& place, const std::string& written) {
    if (depth_ == kMaxDepth)
      throw Error(Code::usage, place.text() + ": includes nest more than 16 deep; is it a circle?");
    std::string pattern = expand_home(written, facts_);
    const bool user = place.kind == ConfigSource::Kind::user;
    if (!pattern.starts_with('/')) pattern = (user ? facts_.home + "/.ssh/" : std::string("/etc/ssh/")) + pattern;
    Inclusion inclusion;
    ++depth_;
    for (const auto& path : glob_paths(pattern))
      if (auto file = read(path, place.kind, true)) inclusion.files.push_back(std::move(file));
    --depth_;
    place.section().entries.emplace_back(std::move(inclusion));
  }

  void begin_match(const Place& place, std::string_view rest) {
    ConfigSection section(ConfigSection::Kind::match);
    bool all = false;
    while (auto word = take_word(rest)) {
      if (word->starts_with('#')) break;
      const auto& added = section.criteria.emplace_back(read_criterion(*word, rest));
      // OpenSSH lets one criterion stand before it.
      const bool misplaced = all || (added.subject == Criterion::Subject::all && section.criteria.size() > 2);
      if (misplaced) throw Error(Code::usage, "'all' in a Match line stands alone; remove it, or the rest");
      all = added.subject == Criterion::Subject::all;
    }
    if (section.criteria.empty()) throw Error(Code::usage, "match has no criteria; write 'Match host NAME', say");
    place.file->sections.push_back(std::move(section));
  }

  Criterion read_criterion(std::string_view word, std::string_view& rest) {
    using Subject = Criterion::Subject;
    Criterion criterion;
    criterion.negated = word.starts_with('!');
    criterion.name = base::lower_case(word.substr(criterion.negated ? 1 : 0));
    criterion.subject = subject_of(criterion.name);
    if (criterion.name == "final") parsed_.wants_final_pass = true;
    if (criterion.subject == Subject::all || criterion.subject == Subject::final_pass) return criterion;
    const auto patterns = take_word(rest);
    if (!patterns || patterns->empty() || patterns->starts_with('#'))
      throw Error(Code::usage, "'" + criterion.name + "' in a Match line has no value; write one after it");
    const bool of_host = criterion.subject == Subject::host || criterion.subject == Subject::original_host;
    criterion.patterns = of_host ? base::lower_case(*patterns) : *patterns;
    return criterion;
  }

  static Criterion::Subject subject_of(const std::string& name) {
    using Subject = Criterion::Subject;
    static const std::unordered_map<std::string, Subject> kSubjects = {
        {"all", Subject::all},
        {"canonical", Subject::final_pass},
        {"final", Subject::final_pass},
        {"host", Subject::host},
        {"originalhost", Subject::original_host},
        {"user", Subject::user},
        {"localuser", Subject::local_user},
        {"exec", Subject::openssh_only},
        {"localnetwork", Subject::openssh_only},
        {"tagged", Subject::openssh_only},
        {"version", Subject::openssh_only},
        {"sessiontype", Subject::openssh_only},
        {"command", Subject::openssh_only},
    };
    const auto found = kSubjects.find(name);
    if (found == kSubjects.end())
      throw Error(Code::usage, "'" + name + "' is no criterion of a Match line; write host, originalhost, user, ...");
    return found->second;
  }

  const base::Context& ctx_;
  const LocalFacts& facts_;
  ParsedConfig parsed_;
  std::vector<std::string> ignored_;  // IgnoreUnknown's lists so far
  std::size_t bytes_ = 0;
  std::size_t files_ = 0;
  int depth_ = 0;
};

}  // namespace

ParsedConfig parse_config_files(const base::Context& ctx, const std::vector<ConfigSource>& sources,
                                const LocalFacts& facts) {
  Parser parser(ctx, facts);
  for (const auto& source : sources) parser.add_source(source);
  return parser.take();
}

ParsedConfig parse_config_text(const base::Context& ctx, std::string_view text, const std::string& name,
                               const LocalFacts& facts) {
  Parser parser(ctx, facts);
  parser.add_text(text, name);
  return parser.take();
}

}  // namespace muster::ssh
