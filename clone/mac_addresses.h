// MAC addresses that no machine of the fleet has. Not thread-safe.
#pragma once

#include <set>
#include <string>
#include <string_view>

namespace muster::clone {

// As libvirt writes them: six bytes in lower case, `52:54:00:1a:2b:3c`. Empty for what is none.
std::string clean_mac(std::string_view text);

class MacAddresses {
 public:
  // QEMU's own range, for machines on virtual networks.
  static constexpr const char* kUsualPrefix = "52:54:00";

  // `prefix`: the first one to five bytes. Throws base::Error{usage} for what is no prefix, or one of group addresses.
  explicit MacAddresses(const std::string& prefix = kUsualPrefix);

  void take(const std::string& mac) { taken_.insert(clean_mac(mac)); }
  // A random one of those that are left, and taken from then on. Throws base::Error{refused} where almost all are.
  std::string next();

 private:
  std::string prefix_;  // with its last colon
  std::size_t random_bytes_ = 3;
  std::set<std::string> taken_;
};

}  // namespace muster::clone
