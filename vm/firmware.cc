#include "vm/firmware.h"

#include "base/error.h"
#include "virt/firmware_files.h"
#include "virt/image_files.h"
#include "virt/lifecycle.h"

namespace muster::vm {
namespace {

constexpr std::uint64_t kMaxVariablesBytes = 4U << 20;

std::string variables_of(const virt::Connection& connection, const virt::Domain& domain) {
  return virt::variables_file(connection, virt::DomainXml(domain.xml(virt::Domain::Xml::definition)));
}

// Empty: libvirt has no choice.
std::string chosen_variables(const virt::Connection& connection, virt::DomainXml machine) {
  machine.set_nvram("");
  return virt::variables_file(connection, machine);
}

}  // namespace

std::string named_variables(const virt::Connection& connection, const virt::Domain& domain,
                            const std::string& machine) {
  const std::string path = variables_of(connection, domain);
  return virt::file_name_of(path).starts_with(machine + "_VARS.") ? path : "";
}

bool others_use(const virt::Connection& connection, const virt::Domain& domain, const std::string& path) {
  const std::string uuid = domain.uuid();
  for (const auto& other : connection.domains()) {
    try {
      if (other.uuid() != uuid && variables_of(connection, other) == path) return true;
    } catch (const base::Error& e) {
      if (e.code() != base::Code::not_found) throw;  // gone since it was listed
    }
  }
  return false;
}

std::optional<std::string> read_variables(const base::Context& ctx, const virt::Connection& connection,
                                          const virt::DomainXml& definition) {
  const std::string file = virt::variables_file(connection, definition);
  return file.empty() ? std::nullopt : virt::read_small_file(ctx, connection, file, kMaxVariablesBytes);
}

void place_variables(const virt::Connection& connection, virt::DomainXml& definition, std::string& variables) {
  if (variables.empty()) return;
  const std::string file = virt::variables_file(connection, definition);
  if (file.empty()) return variables.clear();
  definition.set_nvram(file);
}

void move_variables(const virt::Connection& connection, const virt::Domain& domain, const std::string& from,
                    const std::string& name) {
  virt::DomainXml xml(domain.xml(virt::Domain::Xml::portable));
  const std::string to = virt::directory_of(from) + '/' + name;
  if (virt::variables_file(connection, xml) == from) {
    virt::copy_image(connection, from, name);  // a machine that never ran has none yet
    xml.set_nvram(chosen_variables(connection, xml) == to ? "" : to);
    connection.define(xml.text());
  }
  if (!others_use(connection, domain, from)) virt::remove_image(connection, from);
}

void rename(const virt::Connection& connection, const virt::Domain& domain, const std::string& name) {
  const std::string& old = domain.name();
  const std::string from = named_variables(connection, domain, old);
  if (from.empty() || domain.active()) return virt::rename(domain, name);  // which refuses one that runs
  const std::string file = name + "_VARS.fd", to = virt::directory_of(from) + '/' + file;
  if (others_use(connection, domain, to))
    throw base::Error(base::Code::refused,
                      "another domain has " + to + ", where the UEFI variables of '" + name + "' would be");
  move_variables(connection, domain, from, file);
  try {
    virt::rename(domain, name);
  } catch (const base::Error&) {
    move_variables(connection, domain, to, virt::file_name_of(from));
    throw;
  }
}

}  // namespace muster::vm
