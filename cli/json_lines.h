// JSON Lines (muster-json(7)): small objects through nlohmann-json, and strings of any length written in pieces, so
// that a host's output never has to fit into memory.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

#include "cli/terminal_text.h"

namespace muster::cli {

// One line of --json: `fields` with `v` and `type`. In ASCII: a terminal may take what hosts wrote there for commands.
std::string json_line(std::string_view type, nlohmann::json fields);

// A duration in a result, with thousandths.
double seconds_of(std::chrono::milliseconds duration);

// `text` as the inside of a JSON string. It must be UTF-8, cut at code points or not; what acts on a terminal is
// escaped where it is not cut.
std::string json_escaped(std::string_view text);

// Base64 over a stream of pieces.
class Base64Stream {
 public:
  std::string add(std::string_view bytes);
  std::string finish();

 private:
  std::string held_;
};

// Tells whether a stream of pieces is UTF-8.
class Utf8Check {
 public:
  void add(std::string_view bytes);
  bool valid() const { return valid_ && code_points_.empty(); }

 private:
  CodePointStream code_points_;
  bool valid_ = true;
};

}  // namespace muster::cli
