#include "cli/worker_parts.h"

#include <filesystem>
#include <functional>

#include <nlohmann/json.hpp>

#include "base/digest.h"
#include "base/error.h"
#include "base/unique_fd.h"
#include "virt/domain_xml.h"
#include "virt/firmware_files.h"
#include "virt/image_files.h"
#include "virt/secrets.h"
#include "vm/tpm_state.h"

namespace muster::cli {
namespace {

using base::Error;
using nlohmann::json;

// OVMF's variables are of 528 KiB, its code of 4 MiB at most.
constexpr std::uint64_t kMaxFirmwareBytes = 16U << 20;

// One that cannot be had does not keep the others.
void add(const WorkerCall& call, const virt::Domain& domain, json& parts, const char* part,
         const std::function<std::optional<std::string>()>& read) {
  try {
    if (const auto bytes = read()) parts[part] = base::base64_encode(*bytes);
  } catch (const Error& e) {
    call.ctx.warn("'" + domain.name() + "': its " + part + " is not in the restore point: " + e.what());
  }
}

std::optional<std::string> decoded(const json& fields, const char* part) {
  if (!fields.contains(part)) return std::nullopt;
  return base::base64_decode(fields[part].get<std::string>()).value_or("");
}

std::optional<std::string> secrets_text(const WorkerCall& call, const virt::DomainXml& machine) {
  const auto secrets = virt::secrets_of(call.ctx, call.connection, machine);
  if (secrets.empty()) return std::nullopt;
  json list = json::array();
  for (const auto& secret : secrets)
    list.push_back({{"xml", secret.xml}, {"value", base::base64_encode(secret.value)}});
  return list.dump();
}

std::vector<virt::Secret> secrets_in(const std::string& text) {
  std::vector<virt::Secret> secrets;
  const json list = json::parse(text, nullptr, false);
  if (!list.is_array()) throw Error(base::Code::corrupt, "the secrets of the machine cannot be read");
  for (const auto& fields : list)
    secrets.push_back(
        {.xml = fields.value("xml", ""), .value = base::base64_decode(fields.value("value", "")).value_or("")});
  return secrets;
}

}  // namespace

json parts_of(const WorkerCall& call, const virt::Domain& domain) {
  const std::string definition = domain.xml(virt::Domain::Xml::portable);
  const virt::DomainXml current(domain.xml(virt::Domain::Xml::current));
  json parts{{"domain.xml", base::base64_encode(definition)}};
  const auto small_file = [&](const std::string& path) -> std::optional<std::string> {
    if (path.empty()) return std::nullopt;
    return virt::read_small_file(call.ctx, call.connection, path, kMaxFirmwareBytes);
  };
  add(call, domain, parts, "nvram", [&] { return small_file(virt::variables_file(call.connection, current)); });
  add(call, domain, parts, "firmware", [&] { return small_file(virt::loader_file(call.connection, current)); });
  add(call, domain, parts, "tpm", [&]() -> std::optional<std::string> {
    if (current.tpm_version().empty()) return std::nullopt;
    if (!call.connection.is_of_this_host()) throw Error(base::Code::unsupported, "it is on another host");
    return vm::read_tpm_state(tpm_directories(call.arguments), call.connection.uri(), current);
  });
  add(call, domain, parts, "secrets", [&] { return secrets_text(call, current); });
  return parts;
}

std::string prepare_parts(const WorkerCall& call, virt::Rewritten& definition) {
  if (const auto text = decoded(call.arguments, "secrets"))
    virt::define_secrets(call.ctx, call.connection, secrets_in(*text));
  if (!call.arguments.contains("nvram")) return "";
  virt::DomainXml machine(definition.xml);
  const std::string path = virt::variables_file(call.connection, machine);
  if (path.empty()) return "";
  machine.set_nvram(path);
  definition.xml = machine.text();
  return path;
}

void place_parts(const WorkerCall& call, const virt::Domain& domain, const std::string& variables) {
  if (!variables.empty())
    virt::write_small_file(call.ctx, call.connection, variables, decoded(call.arguments, "nvram").value_or(""));
  const auto state = decoded(call.arguments, "tpm");
  if (!state) return;
  if (!call.connection.is_of_this_host())
    return call.ctx.warn("'" + domain.name() +
                         "': the state of its TPM is not restored: it is on another host, where muster is not");
  vm::write_tpm_state(tpm_directories(call.arguments), call.connection.uri(),
                      virt::DomainXml(domain.xml(virt::Domain::Xml::definition)), domain.uuid(), *state);
}

}  // namespace muster::cli
