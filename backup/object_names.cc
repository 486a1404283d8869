#include "backup/object_names.h"

#include <charconv>

#include <fmt/format.h>

#include "base/error.h"

namespace muster::backup {
namespace {

constexpr std::size_t kIdDigits = 32, kNumberDigits = 8;

std::optional<ObjectId> parse(std::string_view digits) {
  try {
    return parse_object_id(digits, "name");
  } catch (const base::Error&) {
    return std::nullopt;  // somebody else's file
  }
}

}  // namespace

std::string object_name(std::string_view prefix, const ObjectId& id) { return std::string(prefix) + hex(id); }

std::string pack_name(const ObjectId& id) {
  const std::string digits = hex(id);
  return std::string(kPacksPrefix) + digits.substr(0, 2) + "/" + digits;
}

std::optional<ObjectId> id_in_name(std::string_view prefix, std::string_view name) {
  if (!name.starts_with(prefix)) return std::nullopt;
  return parse(name.substr(prefix.size()));
}

std::optional<ObjectId> id_in_pack_name(std::string_view name) {
  const auto id = parse(name.substr(std::min(name.size(), kPacksPrefix.size() + 3)));
  return id && pack_name(*id) == name ? id : std::nullopt;
}

std::string numbered_name(std::string_view prefix, const NumberedName& name) {
  return fmt::format("{}{}.{:08x}.{}", prefix, hex(name.of), name.number, hex(name.own));
}

std::optional<NumberedName> parse_numbered_name(std::string_view prefix, std::string_view name) {
  constexpr std::size_t kBytes = kIdDigits + 1 + kNumberDigits + 1 + kIdDigits;
  if (!name.starts_with(prefix) || name.size() != prefix.size() + kBytes) return std::nullopt;
  const std::string_view text = name.substr(prefix.size());
  const auto of = parse(text.substr(0, kIdDigits)), own = parse(text.substr(kBytes - kIdDigits));
  std::uint32_t number = 0;
  const char* const first = text.data() + kIdDigits + 1;
  const auto parsed = std::from_chars(first, first + kNumberDigits, number, 16);
  if (!of || !own || parsed.ec != std::errc{} || parsed.ptr != first + kNumberDigits) return std::nullopt;
  const NumberedName result{*of, number, *own};
  return numbered_name(prefix, result) == name ? std::optional(result) : std::nullopt;
}

}  // namespace muster::backup
