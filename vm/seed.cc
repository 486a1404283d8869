#include "vm/seed.h"

#include <chrono>

#include "archive/iso_image.h"
#include "base/error.h"
#include "yaml/scalar.h"

namespace muster::vm {
namespace {

using base::Code;
using base::Error;

constexpr const char* kLabel = "cidata";

std::string key_list(const char* name, const std::vector<std::string>& keys) {
  if (keys.empty()) return "";
  std::string text = std::string(name) + ":\n";
  for (const auto& key : keys) text += "  - " + yaml::in_single_quotes(key) + "\n";
  return text;
}

bool begins_as_user_data(const std::string& text) {
  for (const char* start : {"#", "Content-Type:", "MIME-Version:", "From "})
    if (text.starts_with(start)) return true;
  return text.starts_with("\x1f\x8b");  // gzip
}

}  // namespace

std::string meta_data(const SeedRequest& seed, const std::string& instance_id) {
  const std::string text = "instance-id: " + yaml::in_single_quotes(instance_id) +
                           "\nlocal-hostname: " + yaml::in_single_quotes(seed.host_name) + "\n";
  // Beside user-data of their own, which may be anything, keys have no other place.
  return seed.user_data.empty() ? text : text + key_list("public-keys", seed.ssh_keys);
}

std::string user_data(const SeedRequest& seed) {
  if (!seed.user_data.empty()) return seed.user_data;
  return "#cloud-config\nhostname: " + yaml::in_single_quotes(seed.host_name) + "\n" +
         key_list("ssh_authorized_keys", seed.ssh_keys);
}

void check(const SeedRequest& seed) {
  if (seed.user_data.size() + seed.network_config.size() > kMaxUserData)
    throw Error(Code::usage, "user-data and network-config are larger than 4 MiB");
  if (!seed.user_data.empty() && !begins_as_user_data(seed.user_data))
    throw Error(Code::usage,
                "user-data begins with none of what cloud-init takes: write #cloud-config, or #! and a shell");
  for (const auto& key : seed.ssh_keys)
    if (key.empty() || key.find_first_of("\r\n") != std::string::npos)
      throw Error(Code::usage, "an SSH key is one line of text");
}

std::string seed_image(const SeedRequest& seed, const std::string& instance_id) {
  check(seed);
  std::vector<archive::IsoFile> files{{"meta-data", meta_data(seed, instance_id)}, {"user-data", user_data(seed)}};
  if (!seed.network_config.empty()) files.push_back({"network-config", seed.network_config});
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return archive::iso_image(kLabel, files, std::chrono::duration_cast<std::chrono::seconds>(now).count());
}

}  // namespace muster::vm
