// What came of booting restore points for a try, for the textfile collector of Prometheus's node exporter. Names and
// meanings stand in muster-backup(1).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "backup/boot_record.h"

namespace muster::cli {

struct BootOutcomeOf {
  std::string name;           // of the machine
  backup::BootRecord record;  // of this try
};

// `earlier`: what the file held. After a failure, the time of the last success stays. Pure.
std::string boot_metrics_text(const std::vector<BootOutcomeOf>& outcomes, std::string_view earlier);

// Replaces the file: machines that were not tried are not in it any more. Throws base::Error{io, no_space}.
void write_boot_metrics(const std::string& path, const std::vector<BootOutcomeOf>& outcomes);

}  // namespace muster::cli
