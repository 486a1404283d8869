#include "vm/milestone.h"

#include <utility>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/quantity.h"

namespace muster::vm {
namespace {

using Kind = Milestone::Kind;

constexpr std::string_view kPort = "port:";
constexpr std::pair<const char*, Kind> kWords[] = {{"running", Kind::running}, {"off", Kind::off},
                                                   {"ip", Kind::ip},           {"agent", Kind::agent},
                                                   {"ssh", Kind::ssh},         {"port", Kind::port}};

}  // namespace

Milestone parse_milestone(const std::string& text) {
  for (const auto& [word, kind] : kWords)
    if (kind != Kind::port && text == word) return {.kind = kind};
  if (text.starts_with(kPort))
    return {.kind = Kind::port,
            .number = static_cast<std::uint16_t>(base::parse_integer(text.substr(kPort.size()), 1, 65535, "port"))};
  throw base::Error(base::Code::usage, "'" + text + "': write running, off, ip, agent, ssh or port:N");
}

nlohmann::json to_json(const Milestone& milestone) {
  nlohmann::json fields = {{"number", milestone.number}, {"host", milestone.host}};
  for (const auto& [word, kind] : kWords)
    if (milestone.kind == kind) fields["for"] = word;
  return fields;
}

Milestone milestone_from_json(const nlohmann::json& fields) {
  const auto name = fields.at("for").get<std::string>();
  for (const auto& [word, kind] : kWords)
    if (name == word)
      return {.kind = kind,
              .number = fields.at("number").get<std::uint16_t>(),
              .host = fields.at("host").get<std::string>()};
  throw base::Error(base::Code::usage, "cannot wait for '" + name + "'");
}

}  // namespace muster::vm
