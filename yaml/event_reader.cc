#include "yaml/event_reader.h"

#include <algorithm>
#include <cstring>
#include <new>

#include "base/error.h"
#include "base/text.h"

namespace muster::yaml {
namespace {

char byte_at(std::string_view text, std::size_t offset) { return offset < text.size() ? text[offset] : '\0'; }

using base::continues_character;

// libyaml's marks count characters.
char character_at(std::string_view text, std::size_t index) {
  for (const char c : text)
    if (!continues_character(c) && index-- == 0) return c;
  return '\0';
}

// What a newcomer most likely did to get this error of libyaml's.
std::string hint(std::string_view text, const yaml_parser_t& parser) {
  const std::string_view problem = parser.problem == nullptr ? "" : parser.problem;
  const char culprit = character_at(text, parser.problem_mark.index);
  if (culprit == '\t') return "; indent with blanks, not with a tab";
  if (problem.find("cannot start any token") != std::string_view::npos)
    return std::string("; put a value that begins with '") + culprit + "' in quotes";
  if (problem.find("mapping values are not allowed") != std::string_view::npos)
    return "; check the indentation, and put a value that contains ': ' in quotes";
  if (problem.find("could not find expected ':'") != std::string_view::npos) return "; end a key with a colon";
  if (problem.find("undefined alias") != std::string_view::npos) return "; define it with & first";
  return "; check the indentation of this line and of the one before";
}

}  // namespace

void check_encoding(std::string_view text, const std::string& file, const Limits& limits) {
  const auto refuse = [](const std::string& why) { throw base::Error(base::Code::usage, why); };
  if (text.size() > limits.max_bytes)
    refuse(file + ": larger than the limit of " + std::to_string(limits.max_bytes) + " bytes; split the file");
  if (text.starts_with("\xFF\xFE") || text.starts_with("\xFE\xFF"))
    refuse(located(file, {1, 1}, "the file is UTF-16; write it as UTF-8"));
  if (const auto nul = text.find('\0'); nul != std::string_view::npos)
    refuse(located(file, position_of_byte(text, nul), "a NUL byte; write the file as UTF-8 text"));
}

Position position_of(const yaml_mark_t& mark) {
  return {.line = static_cast<std::uint32_t>(mark.line + 1), .column = static_cast<std::uint32_t>(mark.column + 1)};
}

Position position_of_byte(std::string_view text, std::size_t offset) {
  Position at{.line = 1, .column = 1};
  offset = std::min(offset, text.size());
  for (std::size_t i = 0; i < offset; ++i) {
    const bool ends_line = text[i] == '\n' || (text[i] == '\r' && byte_at(text, i + 1) != '\n');
    if (ends_line) {
      ++at.line;
      at.column = 1;
    } else if (!continues_character(text[i])) {
      ++at.column;
    }
  }
  return at;
}

EventReader::EventReader(std::string_view text, const std::string& file) : text_(text), file_(file) {
  if (yaml_parser_initialize(&parser_) == 0) throw std::bad_alloc();
  yaml_parser_set_encoding(&parser_, YAML_UTF8_ENCODING);
  yaml_parser_set_input_string(&parser_, reinterpret_cast<const unsigned char*>(text.data()), text.size());
}

EventReader::~EventReader() {
  yaml_event_delete(&event_);
  yaml_parser_delete(&parser_);
}

const yaml_event_t& EventReader::next() {
  yaml_event_delete(&event_);
  if (yaml_parser_parse(&parser_, &event_) == 0) fail();
  return event_;
}

void EventReader::fail() const {
  if (parser_.error == YAML_MEMORY_ERROR) throw std::bad_alloc();
  const std::string problem = parser_.problem == nullptr ? "syntax error" : parser_.problem;
  if (parser_.error == YAML_READER_ERROR)
    throw base::Error(base::Code::usage, located(file_, position_of_byte(text_, parser_.problem_offset),
                                                 problem + "; write the file as UTF-8 without control characters"));
  std::string text = problem;
  if (parser_.context != nullptr) {
    text += std::string(" ") + parser_.context;
    if (parser_.context_mark.line != parser_.problem_mark.line)
      text += " that begins on line " + std::to_string(parser_.context_mark.line + 1);
  }
  throw base::Error(base::Code::usage, located(file_, position_of(parser_.problem_mark), text + hint(text_, parser_)));
}

}  // namespace muster::yaml
