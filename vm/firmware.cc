#include "vm/firmware.h"

#include "base/error.h"
#include "virt/domain_xml.h"
#include "virt/image_files.h"

namespace muster::vm {
namespace {

std::string variables_of(const virt::Domain& domain) {
  return virt::DomainXml(domain.xml(virt::Domain::Xml::definition)).nvram();
}

std::string file_name(const std::string& path) { return path.substr(path.rfind('/') + 1); }

}  // namespace

std::string named_variables(const virt::Domain& domain, const std::string& machine) {
  const std::string path = variables_of(domain);
  return file_name(path).starts_with(machine + "_VARS.") ? path : "";
}

bool others_use(const virt::Connection& connection, const virt::Domain& domain, const std::string& path) {
  const std::string uuid = domain.uuid();
  for (const auto& other : connection.domains()) {
    try {
      if (other.uuid() != uuid && variables_of(other) == path) return true;
    } catch (const base::Error& e) {
      if (e.code() != base::Code::not_found) throw;  // gone since it was listed
    }
  }
  return false;
}

void move_variables(const virt::Connection& connection, const virt::Domain& domain, const std::string& from,
                    const std::string& name) {
  virt::DomainXml xml(domain.xml(virt::Domain::Xml::portable));
  const std::string to = virt::directory_of(from) + '/' + name;
  if (xml.nvram() == from) {
    virt::copy_image(connection, from, name);  // a machine that never ran has none yet
    xml.set_nvram(to);
    connection.define(xml.text());
  }
  if (!others_use(connection, domain, from)) virt::remove_image(connection, from);
}

}  // namespace muster::vm
