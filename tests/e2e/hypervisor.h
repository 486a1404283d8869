// A real libvirtd of the test's own, in namespaces of its own (tests/testbed/hypervisor). Ends with the object, with
// its domains and all they left, also when the test crashes. Needs root. Not thread-safe; several may run at once.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tests/e2e/loopback.h"
#include "tests/e2e/muster_process.h"
#include "tests/e2e/temp_dir.h"

namespace muster::e2e {

// A domain that runs no operating system: a BIOS without anything to boot. 45 MB and 1 % of a CPU while it runs; it
// ignores a graceful shutdown. Has an empty CD-ROM drive (sdb) and room for five devices more.
struct NoOsDomain {
  std::string name;
  std::string virtio_disk = {};  // vda: an image's path, qcow2; made with 64 MiB if empty
  std::string scsi_disk = {};    // sda: the same on virtio-scsi; none if empty
};

class Hypervisor {
 public:
  enum class Network {
    shared,  // the test's: guests' forwarded ports are on loopback; virtual networks would be the machine's, so none
    own,     // a namespace, in which libvirt's network `default` is defined; reached through reach()
  };
  struct Options {
    std::string name = "hv1";  // its host name
    Network network = Network::shared;
    // Those with a network of their own reach each other if they have one bed, a directory; a fresh one if empty.
    std::string bed = {};
    // Of an own network, as a.b.c.d/24.
    std::string address = "10.77.0.1/24";
  };

  Hypervisor() : Hypervisor(Options{}) {}
  explicit Hypervisor(Options options);
  Hypervisor(const Hypervisor&) = delete;
  Hypervisor& operator=(const Hypervisor&) = delete;
  ~Hypervisor();

  std::string uri() const { return uri_of("qemu"); }
  std::string lxc_uri() const { return uri_of("lxc"); }
  const std::string& name() const { return options_.name; }
  // Where images and sockets of domains may lie: QEMU's user comes in.
  std::string directory() const;
  // What is /var/lib/libvirt there.
  std::string state_directory() const;
  // The address that migrations come in on.
  std::string address() const;
  // What libvirtd and, below qemu/, QEMU wrote: paths.
  std::string log_directory() const;

  // libvirtd alone; domains go on. restart() also starts one that was killed or hangs; it answers when this returns.
  void restart();
  void kill_daemon();
  // Its sockets accept, and nobody answers.
  void hang();
  void wake();

  // What virsh prints. Throws Error{io} with its complaint when it fails.
  std::string virsh(const std::vector<std::string>& arguments) const;
  Finished try_virsh(const std::vector<std::string>& arguments) const;
  // `argv` as it is run in the hypervisor's namespaces.
  std::vector<std::string> inside(const std::vector<std::string>& argv) const;

  void define_xml(const std::string& xml) const;
  void define(const NoOsDomain& domain) const { define(std::vector<NoOsDomain>{domain}); }
  // By one virsh: 100 take less than a second.
  void define(const std::vector<NoOsDomain>& domains) const;
  std::string xml_of(const NoOsDomain& domain) const;
  // A new empty qcow2 image in directory(); its path. `size` as qemu-img takes it.
  std::string make_disk(const std::string& name, const std::string& size = "64M") const;
  // "running", "shut off", ...
  std::string state(const std::string& domain) const;

  // Where the test reaches `endpoint`, which is as seen from inside: there, or on a port of loopback that a relay leads
  // there from an own network until the hypervisor ends.
  Endpoint reach(const Endpoint& endpoint);

 private:
  std::string uri_of(const std::string& driver) const;
  std::vector<std::string> script(const std::vector<std::string>& words) const;
  void control(const std::string& verb) const;
  void start();

  Options options_;
  TempDir directory_;
  std::string address_;
  std::unique_ptr<MusterProcess> process_;
  std::vector<std::unique_ptr<base::ChildProcess>> relays_;
};

// Why no hypervisor can be had here, for GTEST_SKIP; empty if it can.
std::string no_hypervisor_because();

}  // namespace muster::e2e
