#include "cli/seal_order.h"

#include <nlohmann/json.hpp>

#include "cli/environment.h"

namespace muster::cli {

nlohmann::json to_json(const SealOrder& order) {
  return {{"source", order.source},       {"name", order.name},
          {"copy", order.copy},           {"pool", order.pool},
          {"guest", order.guest},         {"keep_tpm", order.keep_tpm},
          {"take_over", order.take_over}, {"session_directory", libvirt_directory()}};
}

}  // namespace muster::cli
