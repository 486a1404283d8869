// Starting and stopping a domain: one call of libvirt each, without waiting for what the guest makes of it. The ladder
// of a graceful stop is vm/'s. Errors: base::Error{refused} where the domain's state does not allow it, {unsupported}
// where the driver cannot do it, {busy} while somebody else's job runs. Thread-safe.
#pragma once

#include "virt/connection.h"
#include "virt/domain.h"

namespace muster::virt {

enum class StartAs { running, paused };
// From its saved memory image, if it has one.
void start(const Domain& domain, StartAs as = StartAs::running);

// A machine that nobody defined: paused at its first instruction, and gone when it ends, or when the connection does.
// Throws base::Error{usage} for XML that libvirt does not take.
Domain start_transient(const Connection& connection, const std::string& xml);

// How a guest is asked to shut down or reboot.
enum class Ask {
  driver,  // as the driver thinks best
  agent,   // through the guest agent; throws base::Error{unsupported} where none is connected
  acpi,    // the power button
};
void ask_to_shut_down(const Domain& domain, Ask how = Ask::driver);
void ask_to_reboot(const Domain& domain, Ask how = Ask::driver);

void reset(const Domain& domain);
void pause(const Domain& domain);
void resume(const Domain& domain);

// Ends the domain at once, as if its plug was pulled; with `flush`, qemu gets time to write out its caches first.
enum class Pull { at_once, flush };
void power_off(const Domain& domain, Pull how = Pull::flush);

// Memory to disk, then off; the next start goes on from there. Blocks until it is written.
void save(const Domain& domain);
bool has_saved_image(const Domain& domain);
void drop_saved_image(const Domain& domain);

// Of a domain that is off; UUID, NVRAM and TPM state stay. Its snapshots and checkpoints must be forgotten before
// (moments.h). Handles of it tell the old name from then on. Throws base::Error{refused} for a name that is taken.
void rename(const Domain& domain, const std::string& name);
// The driver has the call; changes nothing.
bool can_rename(const Domain& domain);
// Removes the definition with all that libvirt keeps about it: saved image, metadata of snapshots and checkpoints, and
// what its firmware wrote (NVRAM, TPM state), unless that may be in use elsewhere. Disks stay. Of a running domain only
// the definition: it becomes transient.
enum class FirmwareState {
  removed,
  nvram_kept,  // and the TPM's state removed
  kept,
};
void undefine(const Domain& domain, FirmwareState firmware);

}  // namespace muster::virt
