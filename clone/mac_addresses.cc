#include "clone/mac_addresses.h"

#include "base/digest.h"
#include "base/error.h"

namespace muster::clone {
namespace {

using base::Code;
using base::Error;

constexpr std::size_t kMacBytes = 6;
constexpr int kTries = 10'000;

std::string lower(std::string_view text) {
  std::string all(text);
  for (auto& c : all)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return all;
}

bool is_hex(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); }

// `52:54:00`, in lower case.
bool is_bytes(std::string_view text) {
  if (text.size() % 3 != 2) return false;
  for (std::size_t i = 0; i < text.size(); ++i)
    if (i % 3 == 2 ? text[i] != ':' : !is_hex(text[i])) return false;
  return true;
}

}  // namespace

std::string clean_mac(std::string_view text) {
  const std::string mac = lower(text);
  return mac.size() == 3 * kMacBytes - 1 && is_bytes(mac) ? mac : "";
}

MacAddresses::MacAddresses(const std::string& prefix) {
  const std::string bytes = lower(prefix);
  const std::size_t count = (bytes.size() + 1) / 3;
  if (!is_bytes(bytes) || count >= kMacBytes)
    throw Error(Code::usage, "'" + prefix + "' is no beginning of MAC addresses: write one to five bytes, as 52:54:00");
  // The lowest bit of the first byte makes a group address.
  if (std::string_view("13579bdf").find(bytes[1]) != std::string_view::npos)
    throw Error(Code::usage, "'" + prefix +
                                 "' begins group addresses, which no machine can have: its second digit has "
                                 "to be even");
  prefix_ = bytes + ":";
  random_bytes_ = kMacBytes - count;
}

std::string MacAddresses::next() {
  for (int i = 0; i < kTries; ++i) {
    const std::string digits = base::hex(base::random_bytes(random_bytes_));
    std::string mac = prefix_;
    for (std::size_t byte = 0; byte < random_bytes_; ++byte) mac += (byte == 0 ? "" : ":") + digits.substr(2 * byte, 2);
    if (taken_.insert(mac).second) return mac;
  }
  throw Error(Code::refused, "hardly any MAC address that begins with " + prefix_ +
                                 " is left: choose a shorter or "
                                 "another beginning (--mac-prefix)");
}

}  // namespace muster::clone
