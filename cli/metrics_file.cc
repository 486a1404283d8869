#include "cli/metrics_file.h"

#include <algorithm>

#include <unistd.h>

#include "base/unique_fd.h"

namespace muster::cli {
namespace {

constexpr std::size_t kMaxMetricsBytes = 16U << 20;

}  // namespace

std::string in_quotes(std::string_view text) {
  std::string label;
  for (const char c : text) label += c == '"' || c == '\\' ? std::string{'\\', c} : std::string(1, c);
  return label;
}

std::string value_in(std::string_view text, const std::string& key) {
  for (std::size_t from = 0; from < text.size();) {
    const std::size_t end = std::min(text.find('\n', from), text.size());
    const std::string_view line = text.substr(from, end - from);
    if (line.starts_with(key)) return std::string(line.substr(key.size()));
    from = end + 1;
  }
  return "";
}

std::string earlier_metrics(const std::string& path) {
  return ::access(path.c_str(), F_OK) == 0 ? base::read_file(path, kMaxMetricsBytes) : "";
}

}  // namespace muster::cli
