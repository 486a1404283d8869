// Who is making a machine, so that another who finds it half made can tell whether that one still is. Thread-safe.
#pragma once

#include "virt/creation_mark.h"

namespace muster::vm {

// A mark of this process, now, of no machine and without volumes. Throws base::Error{io}.
virt::CreationMark mark_of_this_process();

enum class MakerLife {
  alive,
  gone,
  unknown,  // on another machine, or in another process space
};
MakerLife life_of(const virt::CreationMark& mark);

}  // namespace muster::vm
