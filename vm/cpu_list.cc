#include "vm/cpu_list.h"

#include <fmt/format.h>

#include "base/error.h"
#include "base/quantity.h"

namespace muster::vm {
namespace {

constexpr std::int64_t kLastCpu = 4095;

unsigned number(std::string_view text) { return static_cast<unsigned>(base::parse_integer(text, 0, kLastCpu, "CPU")); }

void add_range(std::set<unsigned>& cpus, std::string_view text) {
  const std::size_t dash = text.find('-');
  const unsigned first = number(text.substr(0, dash));
  const unsigned last = dash == std::string_view::npos ? first : number(text.substr(dash + 1));
  if (last < first)
    throw base::Error(base::Code::usage, fmt::format("CPUs '{}': write the smaller number first", text));
  for (unsigned cpu = first; cpu <= last; ++cpu) cpus.insert(cpu);
}

}  // namespace

std::set<unsigned> parse_cpu_list(std::string_view text) {
  std::set<unsigned> cpus;
  for (std::size_t from = 0; from <= text.size();) {
    const std::size_t end = std::min(text.find(',', from), text.size());
    add_range(cpus, text.substr(from, end - from));
    from = end + 1;
  }
  return cpus;
}

std::string format_cpu_list(const std::set<unsigned>& cpus) {
  std::string text;
  for (auto it = cpus.begin(); it != cpus.end();) {
    const unsigned first = *it;
    unsigned last = first;
    while (++it != cpus.end() && *it == last + 1) last = *it;
    text += fmt::format("{}{}", text.empty() ? "" : ",", first);
    if (last != first) text += fmt::format("-{}", last);
  }
  return text;
}

}  // namespace muster::vm
