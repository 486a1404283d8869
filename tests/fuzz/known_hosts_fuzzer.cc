// Any bytes are read, with lines skipped at most; every key found is one, and its line written anew reads back.
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

#include "base/error.h"
#include "parallel-ssh/host_key.h"
#include "parallel-ssh/known_hosts.h"

namespace {

using namespace muster;

void check(const ssh::KnownKey& key) {
  if (ssh::key_type(key.blob) != key.type) throw std::logic_error("a key of another type than its line says");
  if (key.line < 1) throw std::logic_error("a key from no line");
  const auto line = ssh::known_hosts_line("web1", 22, key.type, key.blob);
  const auto again = ssh::KnownHosts::parse({}, line, "again").lookup("web1", 22).keys;
  if (again.size() != 1 || again[0].blob != key.blob) throw std::logic_error("a line written does not read back");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(bytes), size);
  const auto hosts = ssh::KnownHosts::parse({}, text, "fuzz");
  for (const auto port : {std::uint16_t{22}, std::uint16_t{2222}}) {
    const auto found = hosts.lookup("web1", port);
    for (const auto* keys : {&found.keys, &found.revoked, &found.authorities})
      for (const auto& key : *keys) check(key);
  }
  try {
    const auto pinned = ssh::parse_host_key(text);
    if (ssh::parse_host_key(pinned.fingerprint).fingerprint != pinned.fingerprint)
      throw std::logic_error("a fingerprint does not read back");
  } catch (const base::Error& e) {
    if (e.code() != base::Code::usage) throw;
  }
  return 0;
}
