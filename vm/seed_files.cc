#include "vm/seed_files.h"

#include <sstream>

#include "base/error.h"
#include "base/unique_fd.h"
#include "vm/seed.h"

namespace muster::vm {
namespace {

using base::Code;
using base::Error;

constexpr std::size_t kMaxKeyBytes = 1U << 20;

std::string content(const std::string& path, std::size_t limit) {
  try {
    return base::read_file(path, limit);
  } catch (const Error& e) {
    throw Error(Code::usage, e.what());
  }
}

// A line of authorized_keys(5), which may begin with options.
bool is_public_key(const std::string& line) {
  for (const char* type : {"ssh-", "ecdsa-sha2-", "sk-ssh-", "sk-ecdsa-"}) {
    const std::size_t at = line.find(type);
    if (at != std::string::npos && line.find(" AAAA", at) != std::string::npos) return true;
  }
  return false;
}

std::vector<std::string> keys_in(const std::string& path) {
  const std::string text = content(path, kMaxKeyBytes);
  if (text.find("PRIVATE KEY-----") != std::string::npos)
    throw Error(Code::usage, path + " is a private key, which no guest is given: write " + path + ".pub");
  std::vector<std::string> keys;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.pop_back();
    if (line.empty() || line.front() == '#') continue;
    if (!is_public_key(line)) throw Error(Code::usage, path + " holds a line that is no public key: '" + line + "'");
    keys.push_back(line);
  }
  if (keys.empty()) throw Error(Code::usage, path + " holds no public key");
  return keys;
}

}  // namespace

std::optional<SeedRequest> read_seed(const SeedFiles& files) {
  if (files.host_name.empty() && files.public_keys.empty() && files.user_data.empty() && files.network_config.empty())
    return std::nullopt;
  SeedRequest seed{.host_name = files.host_name, .ssh_keys = {}, .user_data = {}, .network_config = {}};
  for (const auto& path : files.public_keys)
    for (auto& key : keys_in(path)) seed.ssh_keys.push_back(std::move(key));
  if (!files.user_data.empty()) seed.user_data = content(files.user_data, kMaxUserData);
  if (!files.network_config.empty()) seed.network_config = content(files.network_config, kMaxUserData);
  return seed;
}

}  // namespace muster::vm
