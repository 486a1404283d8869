#include "vm/guest_host_keys.h"

#include <algorithm>

#include "base/error.h"
#include "parallel-ssh/host_key.h"
#include "virt/guest_agent.h"
#include "vm/guest_command.h"

namespace muster::vm {
namespace {

using base::Code;
using base::Error;

constexpr std::string_view kBegin = "-----BEGIN SSH HOST KEY KEYS-----";
constexpr std::string_view kEnd = "-----END SSH HOST KEY KEYS-----";
// $1: an instance, whose keys are its own only once one of the marks is there.
std::string print_keys() {
  std::string marks;
  for (const char* mark : kMarksOfKeysMade) marks += std::string("[ -e $i/") + mark + " ] || ";
  return "if [ -n \"$1\" ] && [ -e /etc/cloud/cloud.cfg ]; then i=/var/lib/cloud/instances/$1; " + marks +
         "exit 0; fi; cat /etc/ssh/ssh_host_*_key.pub";
}
constexpr std::size_t kMaxKeyBytes = 16U << 10;
constexpr std::chrono::seconds kPatience{10};
constexpr std::chrono::seconds kAnswer{2};

std::string_view next_word(std::string_view& line) {
  line.remove_prefix(std::min(line.find_first_not_of(" \t\r"), line.size()));
  const auto word = line.substr(0, line.find_first_of(" \t\r"));
  line.remove_prefix(word.size());
  return word;
}

// `TYPE BASE64`, without what follows; empty for what is no key.
std::string key_of(std::string_view line) {
  if (line.size() > kMaxKeyBytes) return "";
  const std::string type(next_word(line)), blob(next_word(line));
  const bool known = type.starts_with("ssh-") || type.starts_with("ecdsa-") || type.starts_with("sk-");
  return known && ssh::decode_key(type, blob) ? type + " " + blob : "";
}

}  // namespace

std::vector<std::string> host_keys_in(std::string_view text) {
  std::vector<std::string> keys;
  while (!text.empty() && keys.size() < kMaxHostKeys) {
    const auto line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    if (auto key = key_of(line); !key.empty()) keys.push_back(std::move(key));
  }
  std::sort(keys.begin(), keys.end());
  keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
  return keys;
}

std::vector<std::string> host_keys_on_console(std::string_view text) {
  const auto end = text.rfind(kEnd);
  if (end == std::string_view::npos) return {};
  const auto begin = text.substr(0, end).rfind(kBegin);
  if (begin == std::string_view::npos) return {};
  return host_keys_in(text.substr(begin + kBegin.size(), end - begin - kBegin.size()));
}

std::vector<std::string> host_keys_by_agent(const base::Context& ctx, const virt::Domain& domain,
                                            const std::string& instance) {
  if (!virt::agent_connected(domain) || !virt::agent_answers(domain, kAnswer)) return {};
  // The first word after the script is $0.
  const auto read = run_in_guest(ctx, domain, {"/bin/sh", "-c", print_keys(), "sh", instance}, kPatience);
  return host_keys_in(read.output);
}

}  // namespace muster::vm
