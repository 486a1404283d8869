#include "tests/e2e/hypervisor.h"

#include <filesystem>
#include <utility>

#include <signal.h>
#include <unistd.h>

#include "base/durable_file.h"
#include "base/error.h"
#include "tests/e2e/process_table.h"

namespace muster::e2e {
namespace {

// The whole of a hypervisor's life; its own waits have shorter deadlines.
constexpr std::chrono::seconds kLife{3600};

std::string no_os_disk(const std::string& file, const std::string& target, const std::string& bus) {
  return "<disk type='file' device='disk'><driver name='qemu' type='qcow2' discard='unmap'/><source file='" + file +
         "'/><target dev='" + target + "' bus='" + bus + "'/></disk>";
}

void must(const std::vector<std::string>& argv) {
  const auto done = run({.argv = argv});
  if (done.code != 0) throw base::Error(base::Code::io, argv.at(0) + ": " + done.err);
}

}  // namespace

Hypervisor::Hypervisor(Options options) : options_(std::move(options)) {
  if (options_.bed.empty()) options_.bed = directory_ / "bed";
  address_ = options_.network == Network::shared ? fresh_address() : options_.address;
  start();
}

Hypervisor::~Hypervisor() {
  relays_.clear();
  process_->signal(SIGTERM);
  process_->finish();
}

void Hypervisor::start() {
  // Should the test crash, the kernel tells the script, which then ends the hypervisor.
  std::vector<std::string> words = {"setpriv", "--pdeathsig", "TERM"};
  for (const auto& word : script({"run", options_.name, address_})) words.push_back(word);
  process_ = std::make_unique<MusterProcess>(Launch{.argv = words, .deadline = kLife});
  if (process_->wait_for("up\n")) return;
  const auto ended = process_->finish();
  throw base::Error(base::Code::io, "no hypervisor " + options_.name + ": " + ended.err);
}

std::vector<std::string> Hypervisor::script(const std::vector<std::string>& words) const {
  std::vector<std::string> all = {"env", "MUSTER_TESTBED=" + options_.bed,
                                  std::string("MUSTER_TESTBED_CACHE=") + MUSTER_BUILD_DIR + "/testbed",
                                  std::string(MUSTER_SOURCE_DIR) + "/tests/testbed/hypervisor"};
  all.insert(all.end(), words.begin(), words.end());
  return all;
}

void Hypervisor::control(const std::string& verb) const {
  const auto done = run({.argv = script({verb, options_.name})});
  if (done.code != 0) throw base::Error(base::Code::io, verb + " of hypervisor " + options_.name + ": " + done.err);
}

void Hypervisor::restart() { control("restart"); }
void Hypervisor::kill_daemon() { control("kill"); }
void Hypervisor::hang() { control("hang"); }
void Hypervisor::wake() { control("wake"); }

std::vector<std::string> Hypervisor::inside(const std::vector<std::string>& argv) const {
  std::vector<std::string> words = {"enter", options_.name};
  words.insert(words.end(), argv.begin(), argv.end());
  return script(words);
}

std::string Hypervisor::uri_of(const std::string& driver) const {
  return driver + "+unix:///system?socket=" + options_.bed + '/' + options_.name + "/run/libvirt/libvirt-sock";
}

std::string Hypervisor::directory() const { return options_.bed + '/' + options_.name + "/images"; }

std::string Hypervisor::state_directory() const { return options_.bed + '/' + options_.name + "/lib"; }

std::string Hypervisor::log_directory() const { return options_.bed + '/' + options_.name + "/log"; }

std::string Hypervisor::address() const { return address_.substr(0, address_.find('/')); }

Finished Hypervisor::try_virsh(const std::vector<std::string>& arguments) const {
  Launch launch{.argv = {"virsh", "-q", "-c", uri()}};
  launch.argv.insert(launch.argv.end(), arguments.begin(), arguments.end());
  return run(launch);
}

std::string Hypervisor::virsh(const std::vector<std::string>& arguments) const {
  const auto done = try_virsh(arguments);
  if (done.code == 0) return done.out;
  throw base::Error(base::Code::io, "virsh " + arguments.at(0) + ": " + (done.late ? "no answer" : done.err));
}

void Hypervisor::define_xml(const std::string& xml) const {
  const TempDir directory;
  base::replace_file(directory / "domain.xml", xml);
  virsh({"define", directory / "domain.xml"});
}

void Hypervisor::define(const std::vector<NoOsDomain>& domains) const {
  const TempDir files;
  std::string commands;
  for (auto domain : domains) {
    if (domain.virtio_disk.empty()) domain.virtio_disk = make_disk(domain.name);
    base::replace_file(files / domain.name, xml_of(domain));
    commands += "define " + (files / domain.name) + "; ";
  }
  virsh({commands});
}

std::string Hypervisor::xml_of(const NoOsDomain& domain) const {
  std::string ports;
  for (int i = 0; i < 5; ++i) ports += "<controller type='pci' model='pcie-root-port'/>";
  return "<domain type='qemu'><name>" + domain.name +
         "</name><memory unit='MiB'>64</memory><vcpu placement='static' current='1'>2</vcpu>"
         "<os><type arch='x86_64' machine='q35'>hvm</type><boot dev='hd'/></os><features><acpi/></features>"
         "<on_poweroff>destroy</on_poweroff><on_reboot>restart</on_reboot><on_crash>destroy</on_crash>"
         "<devices><emulator>/usr/bin/qemu-system-x86_64</emulator>" +
         no_os_disk(domain.virtio_disk, "vda", "virtio") +
         (domain.scsi_disk.empty() ? "" : no_os_disk(domain.scsi_disk, "sda", "scsi")) +
         "<disk type='file' device='cdrom'><driver name='qemu' type='raw'/><target dev='sdb' "
         "bus='sata'/><readonly/></disk>"
         "<controller type='scsi' model='virtio-scsi'/><controller type='usb' model='none'/>"
         "<controller type='pci' model='pcie-root'/>" +
         ports +
         "<serial type='pty'><target port='0'/></serial><console type='pty'><target type='serial' port='0'/></console>"
         "<memballoon model='virtio'/></devices></domain>";
}

std::string Hypervisor::make_disk(const std::string& name, const std::string& size) const {
  // An empty image of the same size is the same: many are copied from one.
  const std::string image = directory() + '/' + name + ".qcow2", empty = directory_ / (size + ".qcow2");
  if (!std::filesystem::exists(empty)) must({"qemu-img", "create", "-q", "-f", "qcow2", empty, size});
  std::filesystem::copy_file(empty, image);
  return image;
}

std::string Hypervisor::state(const std::string& domain) const {
  const std::string line = virsh({"domstate", domain});
  return line.substr(0, line.find('\n'));
}

Endpoint Hypervisor::reach(const Endpoint& endpoint) {
  if (options_.network == Network::shared) return endpoint;
  Endpoint outside{.address = fresh_address()};
  outside.port = free_port(outside.address);
  std::string relay = "EXEC:setpriv --pdeathsig KILL";
  for (const auto& word : inside({"socat", "-", "TCP4\\:" + endpoint.address + "\\:" + std::to_string(endpoint.port)}))
    relay += ' ' + word;
  const std::string listen =
      "TCP4-LISTEN:" + std::to_string(outside.port) + ",bind=" + outside.address + ",reuseaddr,fork,backlog=64";
  relays_.push_back(std::make_unique<base::ChildProcess>(
      std::vector<std::string>{"setpriv", "--pdeathsig", "TERM", "socat", listen, relay}));
  if (!wait_until([&] { return static_cast<bool>(connect_to(outside)); }))
    throw base::Error(base::Code::unreachable, "the relay to " + endpoint.address + " does not start");
  return outside;
}

std::string no_hypervisor_because() {
  if (::getuid() != 0) return "a hypervisor in namespaces of its own needs root";
  const auto possible = run({.argv = {"unshare", "--mount", "--uts", "--pid", "--fork", "--cgroup", "--net", "true"}});
  if (possible.code != 0) return "this machine gives no namespaces: " + possible.err;
  for (const std::string program : {"libvirtd", "qemu-system-x86_64", "virsh"})
    if (run({.argv = {"which", program}}).code != 0) return program + " is not installed";
  return "";
}

}  // namespace muster::e2e
