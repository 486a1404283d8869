// ssh_config text into a tree of sections, includes read in place. Everything that can be wrong with a file is found
// here, also in sections that no host ever matches, as OpenSSH does. Internal to the ssh_config reader.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>
#include <vector>

#include "base/context.h"
#include "parallel-ssh/ssh_config.h"
#include "parallel-ssh/ssh_config_keywords.h"

namespace muster::ssh {

struct ConfigFile;

struct Setting {
  Keyword keyword = Keyword::ignored;
  std::vector<std::string> values;
  std::shared_ptr<const std::string> file;
  int line = 0;
};

struct Inclusion {
  std::vector<std::unique_ptr<ConfigFile>> files;
};

// One test of a Match line.
struct Criterion {
  enum class Subject {
    all,
    final_pass,  // `final` and `canonical`
    host,
    original_host,
    user,
    local_user,
    openssh_only,  // exec, localnetwork, tagged, ...: nobody but OpenSSH can tell
  };
  Subject subject = Subject::all;
  bool negated = false;
  std::string name;      // as written, lower case
  std::string patterns;  // lower case where the subject is a host
};

// A Host or Match line and what stands below it. The first section of a file has neither: it always applies.
struct ConfigSection {
  enum class Kind { unconditional, host, match };
  explicit ConfigSection(Kind k) : kind(k) {}

  Kind kind;
  std::vector<std::string> host_patterns;
  std::vector<Criterion> criteria;
  std::vector<std::variant<Setting, Inclusion>> entries;
};

struct ConfigFile {
  std::vector<ConfigSection> sections;
  // Sections by Host pattern without wildcards or `!`, and those that must be tried for every host: a configuration
  // with thousands of hosts is looked up thousands of times. Indices ascend.
  std::unordered_map<std::string, std::vector<std::size_t>> by_literal;
  std::vector<std::size_t> always_tried;
};

struct ParsedConfig {
  std::vector<std::unique_ptr<ConfigFile>> files;
  bool wants_final_pass = false;  // `Match final` stands somewhere
};

// Both throw base::Error{usage} as `file:line: ...`.
ParsedConfig parse_config_files(const base::Context& ctx, const std::vector<ConfigSource>& sources,
                                const LocalFacts& facts);
ParsedConfig parse_config_text(const base::Context& ctx, std::string_view text, const std::string& name,
                               const LocalFacts& facts);

}  // namespace muster::ssh
