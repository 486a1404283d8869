// libvirt's errors as ours. libvirt keeps the last error for each thread; these functions turn it into base::Error
// right after a call went wrong, in the thread that made the call: every further call into libvirt wipes the error out.
#pragma once

#include <string>

#include "base/error.h"

namespace muster::virt {

// libvirt says nothing on standard error by itself from now on. Once, before its first use; any thread.
void silence_libvirt();

// Throws what the last call of this thread said, as `ACTION: libvirt's words`.
[[noreturn]] void throw_last(const std::string& action);

// The last call of this thread failed because the driver, or this object's kind, does not have it.
bool last_is_unsupported();
// ... because the object does not exist (any more).
bool last_is_not_found();

}  // namespace muster::virt
