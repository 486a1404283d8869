#include "cli/error_json.h"

#include <array>
#include <utility>

#include <nlohmann/json.hpp>

namespace muster::cli {
namespace {

using base::Code;

constexpr std::array<std::pair<Code, const char*>, 12> kNames{{{Code::usage, "usage"},
                                                               {Code::not_found, "not_found"},
                                                               {Code::unsupported, "unsupported"},
                                                               {Code::refused, "refused"},
                                                               {Code::busy, "busy"},
                                                               {Code::key, "key"},
                                                               {Code::corrupt, "corrupt"},
                                                               {Code::no_space, "no_space"},
                                                               {Code::unreachable, "unreachable"},
                                                               {Code::timeout, "timeout"},
                                                               {Code::cancelled, "cancelled"},
                                                               {Code::io, "io"}}};

}  // namespace

const char* name_of(Code code) {
  for (const auto& [known, name] : kNames)
    if (known == code) return name;
  return "io";
}

nlohmann::json to_json(const base::Error& error) { return {{"code", name_of(error.code())}, {"text", error.what()}}; }

base::Error error_from_json(const nlohmann::json& json) {
  const std::string code = json.is_object() ? json.value("code", "io") : "io";
  const std::string text = json.is_object() ? json.value("text", "no reason given") : "no reason given";
  for (const auto& [known, name] : kNames)
    if (code == name) return {known, text};
  return {Code::io, text};
}

}  // namespace muster::cli
