#include "tests/e2e/cloud_guest.h"

#include <nlohmann/json.hpp>

#include "base/digest.h"
#include "base/durable_file.h"
#include "base/error.h"

namespace muster::e2e {
namespace {

using nlohmann::json;

// Packages come through the network, and another test may be building it on a machine with much to do.
constexpr std::chrono::seconds kBuild{500};

std::string built() {
  const std::string directory = std::string(MUSTER_BUILD_DIR) + "/testbed/cloud-guest";
  const std::string script = std::string(MUSTER_SOURCE_DIR) + "/tests/testbed/cloud-guest";
  const auto done = run({.argv = {script, directory}, .deadline = kBuild});
  if (done.code != 0) throw base::Error(base::Code::io, script + ": " + (done.late ? "too slow" : done.err));
  return directory;
}

json answer(const Hypervisor& hypervisor, const std::string& domain, const json& command) {
  return json::parse(hypervisor.virsh({"qemu-agent-command", domain, command.dump()})).at("return");
}

CloudMaster master_on(const std::string& disk) {
  auto image = cloud_guest_image();
  const std::string directory = image.disk.substr(0, image.disk.rfind('/'));
  const std::string key = base::read_file(directory + "/master.pub", 4096);
  image.disk = directory + "/" + disk;
  return {.image = image, .host_key = key.substr(0, key.rfind(' ')), .machine_id = "5eed5eed5eed5eed5eed5eed5eed5eed"};
}

}  // namespace

GuestImage cloud_guest_image() {
  auto image = guest_image_in(built());
  // cloud-init's last word.
  image.up = " finished at ";
  image.boot_ms = 240'000;
  image.memory_mib = 320;
  // Where there can never be another, atomic operations are cheaper to emulate.
  image.most_cpus = 1;
  return image;
}

CloudMaster cloud_master() { return master_on("master.qcow2"); }
CloudMaster plain_master() { return master_on("plain.qcow2"); }

std::string file_in_guest(const Hypervisor& hypervisor, const std::string& domain, const std::string& path) {
  const json open{{"execute", "guest-file-open"}, {"arguments", {{"path", path}, {"mode", "r"}}}};
  const json handle{{"handle", answer(hypervisor, domain, open)}};
  json read{{"execute", "guest-file-read"}, {"arguments", handle}};
  read["arguments"]["count"] = 1 << 20;
  const json got = answer(hypervisor, domain, read);
  answer(hypervisor, domain, {{"execute", "guest-file-close"}, {"arguments", handle}});
  return base::base64_decode(got.at("buf-b64").get<std::string>()).value_or("");
}

}  // namespace muster::e2e
