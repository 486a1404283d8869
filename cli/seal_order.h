// What a worker is asked with to make a generation of a master (operations master_seal, master_plan_seal).
#pragma once

#include <chrono>
#include <string>

#include <nlohmann/json_fwd.hpp>

namespace muster::cli {

// Every byte of the images is read, and for copies written.
inline constexpr std::chrono::hours kSealPatience{24};

// As clone::SealRequest has these.
struct SealOrder {
  std::string source, name;
  bool copy = false;
  std::string pool = {};
  std::string guest = "cloud-init";
  bool keep_tpm = false;
  bool take_over = false;
};
nlohmann::json to_json(const SealOrder& order);

}  // namespace muster::cli
