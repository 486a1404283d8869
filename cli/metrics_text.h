// Statistics of machines and hypervisors in Prometheus's text format, for the textfile collector of its node exporter
// (https://prometheus.io/docs/instrumenting/exposition_formats/). Names and meanings stand in muster-vm(1). Pure
// functions.
#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace muster::cli {

struct MetricFamily {
  std::string_view name, type, help;
};
// All there are, in the order of the text.
std::vector<MetricFamily> metric_families();

// When a machine last gave a whole answer, in seconds of Unix time, by the text of its labels.
using LastAnswers = std::map<std::string, double>;
// Out of what metrics_text() wrote earlier; lines of others are passed over.
LastAnswers last_answers(std::string_view text);

// `hypervisors`: objects with `uri`, and either `error`, or `machines` and `node` as the operation `statistics` gives
// them; machines of which nothing is known but their name stand in `missing`. A machine that an earlier text knew is
// told of also while its hypervisor does not answer. `now`: Unix time.
std::string metrics_text(const std::vector<nlohmann::json>& hypervisors, const LastAnswers& earlier, double now);

}  // namespace muster::cli
