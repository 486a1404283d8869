#include "virt/event_loop.h"

#include <mutex>
#include <thread>

#include <libvirt/libvirt.h>

#include "virt/libvirt_error.h"

namespace muster::virt {

void start_event_loop() {
  static std::once_flag once;
  std::call_once(once, [] {
    if (virEventRegisterDefaultImpl() != 0) throw_last("start libvirt's event loop");
    // Detached: libvirt's own state outlives main, and so may what uses it.
    std::thread([] {
      for (;;) virEventRunDefaultImpl();
    }).detach();
  });
}

}  // namespace muster::virt
