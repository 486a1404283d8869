// JSON Lines (muster-json(7)): small objects through nlohmann-json, and strings of any length written in pieces, so
// that a host's output never has to fit into memory.
#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace muster::cli {

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
  bool valid() const { return valid_ && held_.empty(); }

 private:
  std::string held_;
  bool valid_ = true;
};

}  // namespace muster::cli
