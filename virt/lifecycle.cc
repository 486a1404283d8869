#include "virt/lifecycle.h"

#include <libvirt/libvirt.h>

#include "virt/libvirt_error.h"

namespace muster::virt {
namespace {

void check(int result, const char* action, const Domain& domain) {
  if (result < 0) throw_last(std::string(action) + " '" + domain.name() + "'");
}

unsigned shutdown_flags(Ask how) {
  switch (how) {
    case Ask::driver:
      return VIR_DOMAIN_SHUTDOWN_DEFAULT;
    case Ask::agent:
      return VIR_DOMAIN_SHUTDOWN_GUEST_AGENT;
    case Ask::acpi:
      return VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN;
  }
  return VIR_DOMAIN_SHUTDOWN_DEFAULT;
}

unsigned reboot_flags(Ask how) {
  switch (how) {
    case Ask::driver:
      return VIR_DOMAIN_REBOOT_DEFAULT;
    case Ask::agent:
      return VIR_DOMAIN_REBOOT_GUEST_AGENT;
    case Ask::acpi:
      return VIR_DOMAIN_REBOOT_ACPI_POWER_BTN;
  }
  return VIR_DOMAIN_REBOOT_DEFAULT;
}

}  // namespace

void start(const Domain& domain, StartAs as) {
  const unsigned flags = as == StartAs::paused ? VIR_DOMAIN_START_PAUSED : 0;
  check(virDomainCreateWithFlags(domain.handle(), flags), "start", domain);
}

Domain start_transient(const Connection& connection, const std::string& xml) {
  const virDomainPtr started =
      virDomainCreateXML(connection.handle(), xml.c_str(),
                         VIR_DOMAIN_START_AUTODESTROY | VIR_DOMAIN_START_PAUSED | VIR_DOMAIN_START_VALIDATE);
  if (started == nullptr) throw_last("start a machine on " + connection.uri());
  return Domain::adopt(started);
}

void ask_to_shut_down(const Domain& domain, Ask how) {
  check(virDomainShutdownFlags(domain.handle(), shutdown_flags(how)), "shut down", domain);
}

void ask_to_reboot(const Domain& domain, Ask how) {
  check(virDomainReboot(domain.handle(), reboot_flags(how)), "reboot", domain);
}

void reset(const Domain& domain) { check(virDomainReset(domain.handle(), 0), "reset", domain); }
void pause(const Domain& domain) { check(virDomainSuspend(domain.handle()), "pause", domain); }
void resume(const Domain& domain) { check(virDomainResume(domain.handle()), "resume", domain); }

void power_off(const Domain& domain, Pull how) {
  const unsigned flags = how == Pull::flush ? VIR_DOMAIN_DESTROY_GRACEFUL : VIR_DOMAIN_DESTROY_DEFAULT;
  if (virDomainDestroyFlags(domain.handle(), flags) == 0) return;
  // Not every driver knows the difference; and a process that does not end in time is ended the hard way.
  check(virDomainDestroy(domain.handle()), "power off", domain);
}

void save(const Domain& domain) { check(virDomainManagedSave(domain.handle(), 0), "save", domain); }

bool has_saved_image(const Domain& domain) { return virDomainHasManagedSaveImage(domain.handle(), 0) == 1; }

void drop_saved_image(const Domain& domain) {
  check(virDomainManagedSaveRemove(domain.handle(), 0), "drop the saved image of", domain);
}

void undefine(const Domain& domain, FirmwareState firmware) {
  constexpr unsigned kNotes = VIR_DOMAIN_UNDEFINE_MANAGED_SAVE | VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA |
                              VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA;
  const unsigned nvram =
      firmware == FirmwareState::removed ? VIR_DOMAIN_UNDEFINE_NVRAM : VIR_DOMAIN_UNDEFINE_KEEP_NVRAM;
  const unsigned tpm = firmware == FirmwareState::kept ? VIR_DOMAIN_UNDEFINE_KEEP_TPM : VIR_DOMAIN_UNDEFINE_TPM;
  // Drivers that have none of these things refuse the flags, and so do older ones that do not know them.
  for (const unsigned flags : {kNotes | nvram | tpm, kNotes | nvram, kNotes, 0U}) {
    if (virDomainUndefineFlags(domain.handle(), flags) == 0) return;
    if (!last_is_unsupported()) break;
  }
  throw_last("undefine '" + domain.name() + "'");
}

void rename(const Domain& domain, const std::string& name) {
  check(virDomainRename(domain.handle(), name.c_str(), 0), "rename", domain);
}

bool can_rename(const Domain& domain) {
  // To the name it has: no driver does that, and one that cannot rename at all says so.
  return virDomainRename(domain.handle(), domain.name().c_str(), 0) == 0 || !last_is_unsupported();
}

}  // namespace muster::virt
