// Units of systemd (systemd.service(5), systemd.timer(5)) for a job that runs at certain times. Pure functions.
#pragma once

#include <string>
#include <vector>

namespace muster::cli {

struct SystemdUnits {
  std::string service, timer;  // their texts
};

// `calendar`: as systemd.time(7) has it. Throws base::Error{usage} for a newline in it or in a word.
SystemdUnits systemd_units(const std::string& job, const std::string& calendar, const std::vector<std::string>& words);

// The calendar of a timer's text; empty: it says none.
std::string calendar_of(const std::string& timer);

}  // namespace muster::cli
