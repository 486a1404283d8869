// Columns of text as wide as they must be, with a header. What hosts and hypervisors say is made harmless. Not
// thread-safe.
#pragma once

#include <string>
#include <vector>

namespace muster::cli {

class TextTable {
 public:
  explicit TextTable(std::vector<std::string> header) : rows_{std::move(header)} {}

  // Before the first row.
  void add_column(const std::string& name) { rows_.front().push_back(name); }
  void add_row(std::vector<std::string> cells);
  // Nothing but the header: empty.
  std::string text() const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace muster::cli
