// A configuration is read or is a usage error, and so is every lookup in one that was read. First values win: putting
// the text after itself changes nothing.
#include <algorithm>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/text.h"
#include "parallel-ssh/ssh_config.h"

namespace {

using namespace muster;

ssh::LocalFacts facts() {
  ssh::LocalFacts facts;
  facts.home = "/nowhere";
  facts.user = "ann";
  facts.host_name = "desk.lan";
  facts.environment = [](const std::string& name) {
    return name.size() == 1 ? std::optional<std::string>("%h${X}") : std::nullopt;
  };
  return facts;
}

std::optional<ssh::HostConfig> look_up(std::string_view text, const std::string& host) {
  try {
    return ssh::SshConfig::parse({}, text, "fuzz", facts()).lookup(host, std::nullopt, std::nullopt);
  } catch (const base::Error& e) {
    if (e.code() != base::Code::usage) throw;
    return std::nullopt;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(bytes), size);
  if (base::lower_case(text).find("include") != std::string::npos) return 0;  // would read this machine's files
  for (const auto* host : {"web1", "10.0.0.1"}) {
    const auto once = look_up(text, host);
    if (!once) continue;
    const auto twice = look_up(text + "\nMatch all\n" + text, host);
    if (!twice || once->port != twice->port || once->user != twice->user || once->hostname != twice->hostname ||
        once->identity_files != twice->identity_files || once->needs_openssh != twice->needs_openssh)
      throw std::logic_error("repeating the text changed the answer");
  }
  return 0;
}
