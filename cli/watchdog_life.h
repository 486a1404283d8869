// What processes that look after something for a worker have in common: they outlive it, its process group and, where
// they may, its control group, and say when they watch.
#pragma once

#include <optional>
#include <string>

#include "virt/connection.h"

namespace muster::cli {

// The process that goes on is another one: false in the one that was started, which ends.
bool go_on_alone();

// False: whoever it would watch for is gone already.
bool say_watching();

// nullopt where it cannot be had now.
std::optional<virt::Connection> try_to_connect(const std::string& uri);

}  // namespace muster::cli
