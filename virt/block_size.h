// The size of a disk of a machine that runs: QEMU has the image, and is asked to change it. Thread-safe, as libvirt's
// handles are.
#pragma once

#include <cstdint>
#include <string>

#include "virt/domain.h"

namespace muster::virt {

// Grows the disk; its guest is told. libvirt before 12.3 shrinks just as readily, without a question: the caller sees
// to it that this is more than the disk has. Throws base::Error{refused, busy, unsupported, no_space}.
void grow_running(const Domain& domain, const std::string& target, std::uint64_t size_bytes);

}  // namespace muster::virt
