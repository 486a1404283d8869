// Memory that libvirt hands out and the caller frees.
#pragma once

#include <cstdlib>
#include <memory>

namespace muster::virt {

struct Free {
  void operator()(void* memory) const { std::free(memory); }
};
using OwnedText = std::unique_ptr<char, Free>;

}  // namespace muster::virt
