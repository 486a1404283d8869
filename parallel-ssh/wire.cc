#include "parallel-ssh/wire.h"

namespace muster::ssh {

void put_u32(std::string& out, std::size_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>((value >> shift) & 0xFF);
}

void put_string(std::string& out, std::string_view text) {
  put_u32(out, text.size());
  out += text;
}

std::optional<std::size_t> take_u32(std::string_view& in) {
  if (in.size() < 4) return std::nullopt;
  std::size_t value = 0;
  for (const char byte : in.substr(0, 4)) value = value << 8 | static_cast<unsigned char>(byte);
  in.remove_prefix(4);
  return value;
}

std::optional<std::string> take_string(std::string_view& in) {
  const auto length = take_u32(in);
  if (!length || *length > in.size()) return std::nullopt;
  std::string text(in.substr(0, *length));
  in.remove_prefix(*length);
  return text;
}

}  // namespace muster::ssh
