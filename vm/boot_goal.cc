#include "vm/boot_goal.h"

#include <algorithm>
#include <regex>

#include "base/error.h"

namespace muster::vm {
namespace {

using base::Code;
using base::Error;

constexpr std::string_view kSerial = "serial:";
// Of a line that is matched: std::regex takes stack and time for each byte, and the guest chooses them.
constexpr std::size_t kMaxLineBytes = 1024;

std::regex regex_of(const std::string& expression) {
  try {
    return std::regex(expression, std::regex::ECMAScript | std::regex_constants::__polynomial);
  } catch (const std::regex_error& e) {
    throw Error(Code::usage, "'" + expression + "' is no regular expression: " + e.what());
  }
}

}  // namespace

std::string BootGoal::text() const {
  if (kind == Kind::serial) return std::string(kSerial) + expression;
  return kind == Kind::agent ? "agent" : "ssh";
}

BootGoal parse_boot_goal(const std::string& text) {
  if (text == "agent") return {.kind = BootGoal::Kind::agent};
  if (text == "ssh") return {.kind = BootGoal::Kind::ssh};
  if (!text.starts_with(kSerial) || text.size() == kSerial.size())
    throw Error(Code::usage, "'" + text + "': write agent, ssh or serial:EXPRESSION");
  BootGoal goal{.kind = BootGoal::Kind::serial, .expression = text.substr(kSerial.size())};
  regex_of(goal.expression);
  return goal;
}

bool any_line_matches(const BootGoal& goal, std::string_view text) {
  const std::regex expression = regex_of(goal.expression);
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find_first_of("\r\n", at), text.size());
    const std::string_view line = text.substr(at, std::min(end - at, kMaxLineBytes));
    if (std::regex_search(line.begin(), line.end(), expression)) return true;
    at = end + 1;
  }
  return false;
}

}  // namespace muster::vm
