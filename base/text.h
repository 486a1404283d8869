// Text taken apart: the lines, words and characters of what systems keep. ASCII alone is known, unless UTF-8 is
// named. Pure functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace muster::base {

// Without their ends; after the last newline there is none.
std::vector<std::string> lines_of(std::string_view text);

// What stands between blanks: spaces, tabs, ends of lines.
std::vector<std::string> words_of(std::string_view text);

inline bool is_digit(char c) { return c >= '0' && c <= '9'; }
inline bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

std::string lower_case(std::string_view text);

// Of UTF-8: no character begins with it.
inline bool continues_character(char c) { return (static_cast<unsigned char>(c) & 0xC0U) == 0x80U; }
// At most `bytes` of it from the beginning, or the end, that cut no character of UTF-8.
std::string_view whole_characters(std::string_view text, std::size_t bytes);
std::string_view last_whole_characters(std::string_view text, std::size_t bytes);

}  // namespace muster::base
