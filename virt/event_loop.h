// libvirt's event loop in a thread of its own: keepalives and events of connections are handled there. One for a
// process, started before its first connection and never stopped.
#pragma once

namespace muster::virt {

// Does nothing when called again. Throws base::Error{io}.
void start_event_loop();

}  // namespace muster::virt
