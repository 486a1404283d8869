// A document either parses within its limits or is a usage error with a position; every scalar resolves in both
// schemas.
#include <cstdint>
#include <stdexcept>
#include <string_view>

#include "base/error.h"
#include "yaml/document.h"
#include "yaml/scalar.h"

namespace {

using namespace muster;

constexpr yaml::Limits kLimits{.max_bytes = 1 << 20, .max_depth = 32, .max_nodes = 20'000};

std::size_t check(const yaml::Node& node, std::size_t depth) {
  if (depth > kLimits.max_depth) throw std::logic_error("deeper than the limit");
  std::size_t nodes = 1;
  if (node.is_scalar()) {
    yaml::resolve(node, yaml::Schema::core_1_2);
    yaml::resolve(node, yaml::Schema::yaml_1_1);
  }
  for (const auto& item : node.items) nodes += check(item, depth + 1);
  for (const auto& [key, value] : node.entries) {
    if (!key.is_scalar() || node.find(key.text) != &value) throw std::logic_error("a key twice, or no scalar");
    nodes += check(key, depth + 1) + check(value, depth + 1);
  }
  return nodes;
}

void parse(std::string_view text, yaml::DuplicateKeys duplicate_keys) {
  try {
    const yaml::Document document = yaml::parse(text, "f", {.limits = kLimits, .duplicate_keys = duplicate_keys});
    if (check(document.root, 1) > kLimits.max_nodes) throw std::logic_error("more nodes than the limit");
  } catch (const base::Error& error) {
    if (error.code() != base::Code::usage || !std::string_view(error.what()).starts_with("f:")) throw;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(bytes), size);
  parse(text, yaml::DuplicateKeys::are_errors);
  parse(text, yaml::DuplicateKeys::last_wins);
  return 0;
}
