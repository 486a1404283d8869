#include "virt/domain.h"

#include <array>

#include <libvirt/libvirt.h>

#include "virt/libvirt_error.h"
#include "virt/owned.h"

namespace muster::virt {
namespace {

std::string named(const Domain& domain) { return "domain '" + domain.name() + "'"; }

struct Condition {
  int state = VIR_DOMAIN_NOSTATE;
  int reason = 0;
};

Condition condition_of(const Domain& domain) {
  Condition condition;
  if (virDomainGetState(domain.handle(), &condition.state, &condition.reason, 0) != 0)
    throw_last("ask for the state of " + named(domain));
  return condition;
}

std::string reason_running(int reason) {
  switch (reason) {
    case VIR_DOMAIN_RUNNING_BOOTED:
      return "booted";
    case VIR_DOMAIN_RUNNING_MIGRATED:
      return "migrated";
    case VIR_DOMAIN_RUNNING_RESTORED:
      return "restored";
    case VIR_DOMAIN_RUNNING_FROM_SNAPSHOT:
      return "from snapshot";
    case VIR_DOMAIN_RUNNING_UNPAUSED:
      return "unpaused";
    case VIR_DOMAIN_RUNNING_CRASHED:
      return "restarted after a crash";
    default:
      return "";
  }
}

std::string reason_paused(int reason) {
  switch (reason) {
    case VIR_DOMAIN_PAUSED_USER:
      return "user";
    case VIR_DOMAIN_PAUSED_MIGRATION:
      return "migrating";
    case VIR_DOMAIN_PAUSED_SAVE:
      return "saving";
    case VIR_DOMAIN_PAUSED_IOERROR:
      return std::string(kIoErrorReason);
    case VIR_DOMAIN_PAUSED_SNAPSHOT:
      return "snapshot";
    case VIR_DOMAIN_PAUSED_CRASHED:
      return "crashed";
    case VIR_DOMAIN_PAUSED_STARTING_UP:
      return "starting";
    case VIR_DOMAIN_PAUSED_POSTCOPY:
    case VIR_DOMAIN_PAUSED_POSTCOPY_FAILED:
      return "post-copy migration";
    default:
      return "";
  }
}

std::string reason_off(int reason) {
  switch (reason) {
    case VIR_DOMAIN_SHUTOFF_SHUTDOWN:
      return "shut down";
    case VIR_DOMAIN_SHUTOFF_DESTROYED:
      return "destroyed";
    case VIR_DOMAIN_SHUTOFF_CRASHED:
      return "crashed";
    case VIR_DOMAIN_SHUTOFF_MIGRATED:
      return "migrated";
    case VIR_DOMAIN_SHUTOFF_SAVED:
      return "saved";
    case VIR_DOMAIN_SHUTOFF_FAILED:
      return "start failed";
    case VIR_DOMAIN_SHUTOFF_FROM_SNAPSHOT:
      return "from snapshot";
    case VIR_DOMAIN_SHUTOFF_DAEMON:
      return "daemon";
    default:
      return "";
  }
}

}  // namespace

const char* name_of(State state) {
  switch (state) {
    case State::running:
      return "running";
    case State::paused:
      return "paused";
    case State::shutting_down:
      return "shutting down";
    case State::shut_off:
      return "shut off";
    case State::crashed:
      return "crashed";
    case State::suspended:
      return "suspended by guest";
    case State::saved:
      return "saved";
    case State::blocked:
      return "blocked";
    case State::unknown:
      return "unknown";
  }
  return "unknown";
}

State state_from_number(int number) {
  switch (number) {
    case VIR_DOMAIN_RUNNING:
      return State::running;
    case VIR_DOMAIN_BLOCKED:
      return State::blocked;
    case VIR_DOMAIN_PAUSED:
      return State::paused;
    case VIR_DOMAIN_SHUTDOWN:
      return State::shutting_down;
    case VIR_DOMAIN_SHUTOFF:
      return State::shut_off;
    case VIR_DOMAIN_CRASHED:
      return State::crashed;
    case VIR_DOMAIN_PMSUSPENDED:
      return State::suspended;
    default:
      return State::unknown;
  }
}

Domain Domain::adopt(virDomainPtr handle) {
  Domain domain;
  domain.handle_ = std::shared_ptr<virDomain>(handle, [](virDomainPtr d) { virDomainFree(d); });
  domain.name_ = virDomainGetName(handle);
  return domain;
}

unsigned Domain::id() const {
  const unsigned id = virDomainGetID(handle_.get());
  return id == static_cast<unsigned>(-1) ? 0 : id;
}

std::string Domain::uuid() const {
  std::array<char, VIR_UUID_STRING_BUFLEN> text{};
  if (virDomainGetUUIDString(handle(), text.data()) != 0) throw_last("ask for the UUID of " + named(*this));
  return text.data();
}

State Domain::state() const {
  const State state = state_from_number(condition_of(*this).state);
  // Drivers without saved images answer -1, which is no.
  return state == State::shut_off && virDomainHasManagedSaveImage(handle(), 0) == 1 ? State::saved : state;
}

std::string Domain::reason() const {
  const Condition condition = condition_of(*this);
  if (condition.state == VIR_DOMAIN_RUNNING) return reason_running(condition.reason);
  if (condition.state == VIR_DOMAIN_PAUSED) return reason_paused(condition.reason);
  if (condition.state == VIR_DOMAIN_SHUTOFF) return reason_off(condition.reason);
  return "";
}

bool Domain::active() const {
  const int active = virDomainIsActive(handle());
  if (active < 0 && !last_is_not_found()) throw_last("ask whether " + named(*this) + " is active");
  return active == 1;
}

bool Domain::exists() const {
  int state = 0;
  if (virDomainGetState(handle(), &state, nullptr, 0) == 0) return true;
  if (last_is_not_found()) return false;
  throw_last("ask for the state of " + named(*this));
}

bool Domain::persistent() const {
  const int persistent = virDomainIsPersistent(handle());
  if (persistent < 0) throw_last("ask whether " + named(*this) + " is persistent");
  return persistent == 1;
}

bool Domain::autostart() const {
  int on = 0;
  // Transient domains and some drivers have none.
  return virDomainGetAutostart(handle(), &on) == 0 && on == 1;
}

void Domain::set_autostart(bool on) const {
  if (virDomainSetAutostart(handle(), on ? 1 : 0) != 0) throw_last("set autostart of " + named(*this));
}

std::string Domain::xml(Xml which) const {
  unsigned flags = 0;
  if (which == Xml::definition) flags = VIR_DOMAIN_XML_INACTIVE;
  if (which == Xml::portable) flags = VIR_DOMAIN_XML_INACTIVE | VIR_DOMAIN_XML_SECURE;
  const OwnedText text(virDomainGetXMLDesc(handle(), flags));
  if (!text) throw_last("read the XML of " + named(*this));
  return text.get();
}

std::optional<std::string> Domain::metadata() const {
  const unsigned where = persistent() ? VIR_DOMAIN_AFFECT_CONFIG : VIR_DOMAIN_AFFECT_LIVE;
  const OwnedText text(virDomainGetMetadata(handle(), VIR_DOMAIN_METADATA_ELEMENT, kMetadataNamespace, where));
  if (text) return text.get();
  if (last_is_not_found() || last_is_unsupported()) return std::nullopt;
  throw_last("read the metadata of " + named(*this));
}

void Domain::set_metadata(const std::string& element) const {
  unsigned where = 0;
  if (persistent()) where |= VIR_DOMAIN_AFFECT_CONFIG;
  if (active()) where |= VIR_DOMAIN_AFFECT_LIVE;
  if (virDomainSetMetadata(handle(), VIR_DOMAIN_METADATA_ELEMENT, element.empty() ? nullptr : element.c_str(),
                           kMetadataPrefix, kMetadataNamespace, where) == 0)
    return;
  if (element.empty() && last_is_not_found()) return;
  throw_last("write the metadata of " + named(*this));
}

}  // namespace muster::virt
