// What processes that look after something for a worker have in common: they outlive it, its process group and, where
// they may, its control group, and say when they watch.
#pragma once

namespace muster::cli {

// The process that goes on is another one: false in the one that was started, which ends.
bool go_on_alone();

// False: whoever it would watch for is gone already.
bool say_watching();

}  // namespace muster::cli
