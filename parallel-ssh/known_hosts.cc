#include "parallel-ssh/known_hosts.h"

#include <algorithm>
#include <optional>
#include <unordered_map>

#include <fmt/format.h>

#include "base/digest.h"
#include "base/error.h"
#include "base/text.h"
#include "base/unique_fd.h"
#include "parallel-ssh/host_key.h"
#include "parallel-ssh/ssh_pattern.h"

namespace muster::ssh {
namespace {

constexpr std::size_t kMaxFileBytes = 64U << 20;
constexpr std::size_t kMaxLineBytes = 64U << 10;
constexpr std::size_t kSaltBytes = 20;
constexpr std::string_view kHashMagic = "|1|";
constexpr std::string_view kBlanks = " \t";

enum class Marker { none, revoked, authority };

// How a host is written in the files, lower case.
std::string host_entry(const std::string& name, std::uint16_t port) {
  return port == 22 || port == 0 ? base::lower_case(name) : fmt::format("[{}]:{}", base::lower_case(name), port);
}

std::string_view take_field(std::string_view& rest) {
  rest.remove_prefix(std::min(rest.find_first_not_of(kBlanks), rest.size()));
  const auto field = rest.substr(0, rest.find_first_of(kBlanks));
  rest.remove_prefix(field.size());
  return field;
}

struct HashedName {
  std::string salt;
  std::string hash;
};

std::optional<HashedName> parse_hashed(std::string_view names) {
  names.remove_prefix(kHashMagic.size());
  const auto bar = names.find('|');
  if (bar == std::string_view::npos) return std::nullopt;
  auto salt = base::base64_decode(names.substr(0, bar)), hash = base::base64_decode(names.substr(bar + 1));
  if (!salt || !hash || salt->size() != kSaltBytes || hash->size() != kSaltBytes) return std::nullopt;
  return HashedName{std::move(*salt), std::move(*hash)};
}

bool has_pattern(std::string_view names) { return names.find_first_of("*?!") != std::string_view::npos; }

}  // namespace

struct KnownHosts::Content {
  struct Entry {
    Marker marker;
    std::string type;
    std::string blob;
    std::size_t file;
    int line;
  };
  struct Hashed {
    HashedName name;
    std::uint32_t entry;
  };
  struct Patterns {
    std::string list;  // lower case
    std::uint32_t entry;
  };

  std::vector<std::string> files;
  std::vector<Entry> entries;
  std::unordered_map<std::string, std::vector<std::uint32_t>> plain;  // lower case
  std::vector<Patterns> patterns;
  std::vector<Hashed> hashed;

  void read(const base::Context& ctx, std::string_view text, const std::string& name);
  bool read_line(std::string_view line, int number);
  bool index_names(std::string_view names, std::uint32_t entry);
  void find_hashed(std::string_view asked, std::vector<std::uint32_t>& found) const;
};

void KnownHosts::Content::read(const base::Context& ctx, std::string_view text, const std::string& name) {
  files.push_back(name);
  int number = 0, first_bad = 0, bad = 0;
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    ++number;
    if (!read_line(text.substr(0, end), number) && ++bad == 1) first_bad = number;
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  if (bad == 0) return;
  const std::string others = bad == 1 ? "" : fmt::format(", nor are {} others in this file", bad - 1);
  ctx.warn(fmt::format("{}:{}: is no line of known_hosts that can be used{}; skipped", name, first_bad, others));
}

// False for a line that is not understood; empty lines and comments are.
bool KnownHosts::Content::read_line(std::string_view line, int number) {
  if (line.ends_with('\r')) line.remove_suffix(1);
  if (line.size() > kMaxLineBytes) return false;
  auto names = take_field(line);
  if (names.empty() || names.starts_with('#')) return true;
  Marker marker = Marker::none;
  if (names.starts_with('@')) {
    if (names != "@revoked" && names != "@cert-authority") return false;
    marker = names == "@revoked" ? Marker::revoked : Marker::authority;
    names = take_field(line);
  }
  const auto type = take_field(line);
  auto blob = decode_key(type, take_field(line));
  if (!blob || !index_names(names, static_cast<std::uint32_t>(entries.size()))) return false;
  entries.push_back({marker, std::string(type), std::move(*blob), files.size() - 1, number});
  return true;
}

bool KnownHosts::Content::index_names(std::string_view names, std::uint32_t entry) {
  if (names.starts_with('|')) {
    auto name = names.starts_with(kHashMagic) ? parse_hashed(names) : std::nullopt;
    if (name) hashed.push_back({std::move(*name), entry});
    return name.has_value();
  }
  const std::string lowered = base::lower_case(names);
  if (has_pattern(lowered)) {
    patterns.push_back({lowered, entry});
    return true;
  }
  for (std::string_view rest = lowered; !rest.empty();) {
    const auto end = std::min(rest.find(','), rest.size());
    auto& places = plain[std::string(rest.substr(0, end))];
    if (places.empty() || places.back() != entry) places.push_back(entry);
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return true;
}

void KnownHosts::Content::find_hashed(std::string_view asked, std::vector<std::uint32_t>& found) const {
  if (hashed.empty()) return;
  base::HmacSha1 hmac;
  for (const auto& [name, entry] : hashed)
    if (base::as_text(hmac(name.salt, asked)) == name.hash) found.push_back(entry);
}

KnownHosts::KnownHosts(std::unique_ptr<const Content> content) : content_(std::move(content)) {}
KnownHosts::KnownHosts(KnownHosts&&) noexcept = default;
KnownHosts& KnownHosts::operator=(KnownHosts&&) noexcept = default;
KnownHosts::~KnownHosts() = default;

KnownHosts KnownHosts::load(const base::Context& ctx, const std::vector<std::string>& files) {
  auto content = std::make_unique<Content>();
  for (const auto& file : files) {
    ctx.check_stop();
    std::string text;
    try {
      text = base::read_file(file, kMaxFileBytes);
    } catch (const base::Error& e) {
      if (e.code() != base::Code::not_found) throw;
      continue;
    }
    content->read(ctx, text, file);
  }
  return KnownHosts(std::move(content));
}

KnownHosts KnownHosts::parse(const base::Context& ctx, std::string_view text, const std::string& name) {
  auto content = std::make_unique<Content>();
  content->read(ctx, text, name);
  return KnownHosts(std::move(content));
}

HostKeys KnownHosts::lookup(const std::string& name, std::uint16_t port) const {
  const std::string asked = host_entry(name, port);
  std::vector<std::uint32_t> found;
  if (const auto plain = content_->plain.find(asked); plain != content_->plain.end()) found = plain->second;
  for (const auto& patterns : content_->patterns)
    if (match_list(patterns.list, asked) == ListMatch::included) found.push_back(patterns.entry);
  content_->find_hashed(asked, found);
  std::sort(found.begin(), found.end());
  HostKeys result;
  for (const auto index : found) {
    const auto& entry = content_->entries[index];
    auto& list = entry.marker == Marker::none      ? result.keys
                 : entry.marker == Marker::revoked ? result.revoked
                                                   : result.authorities;
    list.push_back({entry.type, entry.blob, content_->files[entry.file], entry.line});
  }
  return result;
}

std::size_t KnownHosts::size() const { return content_->entries.size(); }

std::string known_hosts_line(const std::string& name, std::uint16_t port, const std::string& type,
                             std::string_view blob, NameForm form) {
  const bool readable = !name.empty() && std::all_of(name.begin(), name.end(), [](unsigned char c) {
    return c > ' ' && c != 0x7f && std::string_view(",*?!|@#[]").find(static_cast<char>(c)) == std::string_view::npos;
  });
  if (!readable) throw base::Error(base::Code::usage, "host name '" + name + "' cannot stand in known_hosts");
  if (key_type(blob) != type)
    throw base::Error(base::Code::usage, "the host key of " + name + " is no " + type + " key");
  std::string entry = host_entry(name, port);
  if (form == NameForm::hashed) {
    const std::string salt = base::random_bytes(kSaltBytes);
    entry = fmt::format("{}{}|{}", kHashMagic, base::base64_encode(salt),
                        base::base64_encode(base::as_text(base::hmac_sha1(salt, entry))));
  }
  return fmt::format("{} {} {}\n", entry, type, base::base64_encode(blob));
}

}  // namespace muster::ssh
