#include "vm/host_word.h"

#include <array>

#include <unistd.h>

#include "base/digest.h"
#include "base/error.h"

namespace muster::vm {

std::string host_word() {
  std::array<char, 256> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0) base::throw_errno("ask for the host's name");
  const auto digest = base::sha256(name.data());
  return base::hex(base::as_text(digest).substr(0, 4));
}

}  // namespace muster::vm
