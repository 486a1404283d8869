#include "virt/resources.h"

#include <fmt/format.h>
#include <libvirt/libvirt.h>
#include <pugixml.hpp>

#include "virt/domain_xml.h"
#include "virt/libvirt_error.h"

namespace muster::virt {
namespace {

constexpr std::uint64_t kKib = 1024;

unsigned impact(When when) { return when == When::now ? VIR_DOMAIN_AFFECT_LIVE : VIR_DOMAIN_AFFECT_CONFIG; }

void change_cpus(const Domain& domain, unsigned cpus, unsigned flags) {
  if (virDomainSetVcpusFlags(domain.handle(), cpus, flags) != 0)
    throw_last(fmt::format("give '{}' {} CPUs", domain.name(), cpus));
}

void change_memory(const Domain& domain, std::uint64_t bytes, unsigned flags) {
  if (virDomainSetMemoryFlags(domain.handle(), bytes / kKib, flags) != 0)
    throw_last(fmt::format("give '{}' {} KiB of memory", domain.name(), bytes / kKib));
}

}  // namespace

Resources resources(const Domain& domain, When when) {
  const DomainXml xml(domain.xml(when == When::now ? Domain::Xml::current : Domain::Xml::definition));
  return {.cpus = xml.cpus(),
          .max_cpus = xml.max_cpus(),
          .memory_bytes = xml.current_memory_bytes(),
          .max_memory_bytes = xml.memory_bytes()};
}

bool has_plugged_cpus(const Domain& domain) {
  const DomainXml xml(domain.xml(Domain::Xml::current));
  for (const auto& cpu : xml.root().child("vcpus").children("vcpu"))
    if (std::string_view(cpu.attribute("enabled").value()) == "yes" &&
        std::string_view(cpu.attribute("hotpluggable").value()) == "yes")
      return true;
  return false;
}

void set_cpus(const Domain& domain, unsigned cpus, When when) { change_cpus(domain, cpus, impact(when)); }

void set_memory(const Domain& domain, std::uint64_t bytes, When when) { change_memory(domain, bytes, impact(when)); }

void set_max_cpus(const Domain& domain, unsigned cpus) {
  change_cpus(domain, cpus, impact(When::next_start) | VIR_DOMAIN_VCPU_MAXIMUM);
}

void set_max_memory(const Domain& domain, std::uint64_t bytes) {
  change_memory(domain, bytes, impact(When::next_start) | VIR_DOMAIN_MEM_MAXIMUM);
}

}  // namespace muster::virt
