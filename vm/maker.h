// Who is making a machine or a master, so that another who finds it half made can tell whether that one still is.
// Thread-safe.
#pragma once

#include <string>

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

// `process 4711 on HOST, since TIME`, for people.
std::string told(const virt::CreationMark& maker);

enum class TakeOver {
  from_the_dead,  // only what nobody is making any more, as far as can be told here
  when_unknown,   // also where that cannot be told: somebody said so
};
// `what`: what is half made, as a sentence that goes on with who makes it: `'web1' is half made`. `remedy`: what --yes
// does about it. Throws base::Error{busy} while the maker is at it, {refused} where that cannot be told.
void check_abandoned(const virt::CreationMark& maker, TakeOver take_over, const std::string& what,
                     const std::string& remedy);

}  // namespace muster::vm
