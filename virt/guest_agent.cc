#include "virt/guest_agent.h"

#include <libvirt/libvirt-qemu.h>
#include <libvirt/libvirt.h>
#include <pugixml.hpp>

#include "virt/domain_xml.h"
#include "virt/libvirt_error.h"
#include "virt/owned.h"

namespace muster::virt {

bool agent_connected(const Domain& domain) {
  const DomainXml xml(domain.xml(Domain::Xml::current));
  for (const auto& channel : xml.root().child("devices").children("channel")) {
    const auto target = channel.child("target");
    if (std::string_view(target.attribute("name").value()) == "org.qemu.guest_agent.0")
      return std::string_view(target.attribute("state").value()) == "connected";
  }
  return false;
}

bool agent_answers(const Domain& domain, std::chrono::seconds patience) {
  try {
    agent_command(domain, R"({"execute":"guest-ping"})", patience);
    return true;
  } catch (const base::Error&) {
    return false;
  }
}

std::string agent_command(const Domain& domain, const std::string& command, std::chrono::seconds patience) {
  const OwnedText answer(
      virDomainQemuAgentCommand(domain.handle(), command.c_str(), static_cast<int>(patience.count()), 0));
  if (!answer) throw_last("ask the agent of '" + domain.name() + "'");
  return answer.get();
}

}  // namespace muster::virt
