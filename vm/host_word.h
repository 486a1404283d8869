// What this host is called in the names and notes of backups: those of other hosts are not taken for leftovers.
#pragma once

#include <string>

namespace muster::vm {

// 8 hexadecimal digits, of the host's name. Throws base::Error{io}.
std::string host_word();

}  // namespace muster::vm
