#include "cli/text_table.h"

#include <algorithm>

#include "cli/terminal_text.h"

namespace muster::cli {
namespace {

// As many columns of a terminal as the text takes; every character beyond ASCII counts as one.
std::size_t width_of(const std::string& text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

}  // namespace

void TextTable::add_row(std::vector<std::string> cells) {
  for (auto& cell : cells) cell = cell.empty() ? "-" : visible(cell);
  rows_.push_back(std::move(cells));
}

std::string TextTable::text() const {
  if (rows_.size() == 1) return "";
  std::vector<std::size_t> widths(rows_.front().size());
  for (const auto& row : rows_)
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width_of(row[i]));
  std::string text;
  for (const auto& row : rows_) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      text += row[i];
      if (i + 1 < row.size()) text.append(widths[i] - width_of(row[i]) + 2, ' ');
    }
    text += '\n';
  }
  return text;
}

}  // namespace muster::cli
