// Units of systemd (systemd.service(5), systemd.timer(5)) for a job that runs at certain times. Pure functions.
#pragma once

#include <string>
#include <vector>

namespace muster::cli {

struct SystemdUnits {
  std::string service, timer;  // their texts
};

struct SystemdJob {
  std::string job, calendar;  // as systemd.time(7) has it
  std::string directory;      // where it is run
  std::vector<std::string> words;
};
// Throws base::Error{usage} for a newline in one of them.
SystemdUnits systemd_units(const SystemdJob& job);

// The calendar of a timer's text; empty: it says none.
std::string calendar_of(const std::string& timer);

}  // namespace muster::cli
