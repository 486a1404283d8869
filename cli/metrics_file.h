// Files for Prometheus's textfile collector that know of the run before: how a label is written, and what an earlier
// file said.
#pragma once

#include <string>
#include <string_view>

namespace muster::cli {

// As the text format has the value of a label. Pure.
std::string in_quotes(std::string_view text);
// The value on the line that begins with `key`; empty where there is none. Pure.
std::string value_in(std::string_view text, const std::string& key);

// What the file holds; empty where there is none. Throws base::Error{io, usage}.
std::string earlier_metrics(const std::string& path);

}  // namespace muster::cli
