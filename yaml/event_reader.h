// libyaml's event parser as one class: owns parser and event, turns its errors into base::Error with a position and a
// hint. The only place that knows libyaml's types. Not thread-safe.
#pragma once

#include <string>
#include <string_view>

#include <yaml.h>

#include "yaml/document.h"

namespace muster::yaml {

class EventReader {
 public:
  // `text` and `file` must outlive the reader.
  EventReader(std::string_view text, const std::string& file);
  EventReader(const EventReader&) = delete;
  EventReader& operator=(const EventReader&) = delete;
  ~EventReader();

  // Moves to the next event, which is valid until the following call. Throws base::Error{usage} on a syntax error.
  const yaml_event_t& next();

 private:
  [[noreturn]] void fail() const;

  std::string_view text_;
  const std::string& file_;
  yaml_parser_t parser_{};
  yaml_event_t event_{};
};

// What libyaml would not refuse, or not in words that help. Throws base::Error{usage}.
void check_encoding(std::string_view text, const std::string& file, const Limits& limits);

Position position_of(const yaml_mark_t& mark);
// The position of a byte of `text`, counted as editors do.
Position position_of_byte(std::string_view text, std::size_t offset);

}  // namespace muster::yaml
