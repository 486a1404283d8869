#include "disk/guest_uri.h"

#include <cctype>
#include <string_view>

#include <fmt/format.h>

#include "base/error.h"

namespace muster::disk {
namespace {

constexpr std::string_view kPrefix = "nbd+unix:///?socket=";

int digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

}  // namespace

std::string nbd_uri_of_socket(const std::string& path) {
  std::string uri(kPrefix);
  for (const char c : path) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = std::isalnum(byte) != 0 || c == '/' || c == '-' || c == '.' || c == '_';
    uri += plain ? std::string(1, c) : fmt::format("%{:02X}", byte);
  }
  return uri;
}

std::string socket_of_nbd_uri(const std::string& uri) {
  std::string path;
  bool good = uri.starts_with(kPrefix) && uri.find_first_of("&#") == std::string::npos;
  for (std::size_t i = kPrefix.size(); good && i < uri.size(); ++i) {
    if (uri[i] != '%') {
      path += uri[i];
      continue;
    }
    good = i + 2 < uri.size() && digit(uri[i + 1]) >= 0 && digit(uri[i + 2]) >= 0;
    if (good) path += static_cast<char>(digit(uri[i + 1]) * 16 + digit(uri[i + 2]));
    i += 2;
  }
  if (good && !path.empty()) return path;
  throw base::Error(base::Code::usage, uri + ": not an NBD URI of a Unix socket, as nbd+unix:///?socket=PATH");
}

}  // namespace muster::disk
