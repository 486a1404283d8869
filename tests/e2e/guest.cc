#include "tests/e2e/guest.h"

#include <filesystem>
#include <utility>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/digest.h"
#include "base/durable_file.h"
#include "base/error.h"
#include "tests/e2e/process_table.h"

namespace muster::e2e {
namespace {

constexpr std::size_t kMaxConsoleBytes = 4U << 20U;

void must(const std::vector<std::string>& argv) {
  // The guest may be built by another test meanwhile, on a machine with much to do.
  const auto done = run({.argv = argv, .deadline = std::chrono::seconds(120)});
  if (done.code != 0) throw base::Error(base::Code::io, argv.at(0) + ": " + (done.late ? "too slow" : done.err));
}

// A copy of an image's `file` in `directory`, made once. The build directory may be closed to QEMU's user, and libvirt
// would change the owner of a file that all tests share.
std::string copied(const std::filesystem::path& file, const std::string& directory) {
  const std::string name = file.parent_path().filename().string() + '-' + file.filename().string();
  const auto copy = std::filesystem::path(directory) / name;
  if (!std::filesystem::exists(copy)) std::filesystem::copy_file(file, copy);
  return copy;
}

std::string in_quotes(const std::string& text) {
  std::string all = "'";
  for (const char c : text) all += c == '\'' ? "''" : std::string(1, c);
  return all + '\'';
}

std::string list(const std::string& key, const std::vector<std::string>& items) {
  if (items.empty()) return "";
  std::string text = key + ":\n";
  for (const auto& item : items) text += "  - " + in_quotes(item) + '\n';
  return text;
}

}  // namespace

GuestImage guest_image_in(const std::string& directory) {
  const std::string words = base::read_file(directory + "/cmdline", 4096);
  return {.disk = directory + "/disk.qcow2",
          .kernel = directory + "/vmlinuz",
          .initrd = directory + "/initrd",
          .kernel_words = words.substr(0, words.find('\n')),
          .up = "TINY-READY"};
}

GuestImage guest_image() {
  const std::string directory = std::string(MUSTER_BUILD_DIR) + "/testbed/guest";
  must({std::string(MUSTER_SOURCE_DIR) + "/tests/testbed/guest", directory});
  return guest_image_in(directory);
}

void write_seed(const std::string& file, const Seed& seed) {
  const TempDir directory;
  const std::string id = seed.instance_id.empty() ? seed.host_name : seed.instance_id;
  base::replace_file(directory / "meta-data", "instance-id: " + id + "\nlocal-hostname: " + seed.host_name + '\n');
  base::replace_file(directory / "user-data", "#cloud-config\n" + list("ssh_authorized_keys", seed.authorized_keys) +
                                                  list("runcmd", seed.commands));
  must({"bsdtar", "--format", "iso9660", "--options", "volume-id=cidata", "-cf", file, "-C", directory.path(),
        "meta-data", "user-data"});
}

Guest::Guest(Hypervisor& hypervisor, Options options)
    : hypervisor_(hypervisor), options_(std::move(options)), image_(options_.image ? *options_.image : guest_image()) {
  const std::string stem = hypervisor_.directory() + '/' + name();
  disk_ = stem + ".qcow2";
  seed_ = stem + "-seed.iso";
  console_ = stem + ".console";
  image_.kernel = copied(image_.kernel, hypervisor_.directory());
  image_.initrd = copied(image_.initrd, hypervisor_.directory());
  std::filesystem::copy_file(image_.disk, disk_);
  write_seed(seed_, options_.seed);
  // QEMU's user writes to it.
  base::replace_file(console_, "", 0666);
  inside_ = {.address = fresh_address(), .port = 2222};
  if (options_.link == Link::user_mode) endpoint_ = hypervisor_.reach(inside_);
  hypervisor_.define_xml(xml());
}

std::string Guest::network_xml() const {
  if (options_.link == Link::network)
    return "<interface type='network'><source network='default'/><model type='virtio'/><rom enabled='no'/></interface>"
           "</devices>";
  // libvirt 9.0 as Debian builds it forwards no ports to an interface of type `user`.
  return "</devices><qemu:commandline><qemu:arg value='-netdev'/><qemu:arg "
         "value='user,id=ssh,restrict=on,hostfwd=tcp:" +
         inside_.address + ':' + std::to_string(inside_.port) +
         "-:22'/><qemu:arg value='-device'/><qemu:arg value='virtio-net-pci,netdev=ssh,bus=pcie.0,addr=0x1e,romfile='/>"
         "</qemu:commandline>";
}

std::string Guest::xml() const {
  const std::string direct = "<kernel>" + image_.kernel + "</kernel><initrd>" + image_.initrd + "</initrd><cmdline>" +
                             image_.kernel_words + "</cmdline>";
  std::string ports;
  for (int i = 0; i < 8; ++i) ports += "<controller type='pci' model='pcie-root-port'/>";
  return "<domain type='qemu' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'><name>" + name() +
         "</name><memory unit='MiB'>" + std::to_string(image_.memory_mib) + "</memory><vcpu current='1'>" +
         std::to_string(image_.most_cpus) +
         "</vcpu>"
         "<os><type arch='x86_64' machine='q35'>hvm</type>" +
         (options_.boot == Boot::kernel ? direct : "<boot dev='hd'/>") +
         "</os><features><acpi/></features><cpu mode='maximum'/>"
         "<clock offset='utc'><timer name='hpet' present='no'/></clock>"
         "<devices><emulator>/usr/bin/qemu-system-x86_64</emulator>"
         "<disk type='file' device='disk'><driver name='qemu' type='qcow2' discard='unmap'/><source file='" +
         disk_ +
         "'/><target dev='vda' bus='virtio'/></disk>"
         "<disk type='file' device='cdrom'><driver name='qemu' type='raw'/><source file='" +
         seed_ +
         "'/><target dev='sda' bus='scsi'/><readonly/></disk>"
         "<controller type='scsi' model='virtio-scsi'/><controller type='usb' model='none'/>"
         "<controller type='pci' model='pcie-root'/>" +
         ports +
         "<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>"
         "<serial type='pty'><log file='" +
         console_ +
         "' append='off'/><target port='0'/></serial><console type='pty'><target type='serial' port='0'/></console>"
         "<memballoon model='virtio'/>" +
         network_xml() + "</domain>";
}

std::string Guest::console() const { return base::read_file(console_, kMaxConsoleBytes); }

void Guest::start() {
  if (options_.link == Link::network) hypervisor_.try_virsh({"net-start", "default"});
  hypervisor_.virsh({"start", name()});
  wait_until_up();
}

void Guest::wait_until_up() {
  // QEMU's own network accepts connections long before the guest does.
  const bool up = wait_until([&] { return console().find(image_.up) != std::string::npos; }, image_.boot_ms);
  if (!up) throw base::Error(base::Code::timeout, "guest " + name() + " is not up; its console: " + console());
  if (options_.link == Link::network && endpoint_.port == 0)
    endpoint_ = hypervisor_.reach({.address = leased_address(), .port = 22});
}

std::string Guest::leased_address() const {
  const std::string shown = hypervisor_.virsh({"domifaddr", name(), "--source", "lease"});
  const auto end = shown.find('/'), begin = shown.rfind(' ', end) + 1;
  if (end == std::string::npos)
    throw base::Error(base::Code::not_found, "no address of guest " + name() + ": " + shown);
  return shown.substr(begin, end - begin);
}

bool Guest::wait_for_agent(int patience_ms) const {
  return wait_until(
      [&] {
        return hypervisor_.try_virsh({"qemu-agent-command", name(), R"({"execute":"guest-ping"})"}).code == 0;
      },
      patience_ms);
}

std::string Guest::host_key() const {
  const std::string text = console();
  const auto begin = text.rfind("ssh-ed25519 ");
  if (begin == std::string::npos) throw base::Error(base::Code::not_found, "guest " + name() + " told no host key");
  return text.substr(begin, text.find_first_of(" \r\n", begin + 12) - begin);
}

std::string printed_in_guest(const Hypervisor& hypervisor, const std::string& domain, const std::string& command) {
  using nlohmann::json;
  const json ask{{"execute", "guest-exec"},
                 {"arguments", {{"path", "/bin/sh"}, {"arg", {"-c", command}}, {"capture-output", true}}}};
  const auto begun = json::parse(hypervisor.virsh({"qemu-agent-command", domain, ask.dump()}));
  const json look{{"execute", "guest-exec-status"}, {"arguments", {{"pid", begun.at("return").at("pid")}}}};
  json status;
  EXPECT_TRUE(wait_until([&] {
    status = json::parse(hypervisor.virsh({"qemu-agent-command", domain, look.dump()})).at("return");
    return status.value("exited", false);
  })) << command;
  return base::base64_decode(status.value("out-data", "")).value_or("");
}

}  // namespace muster::e2e
