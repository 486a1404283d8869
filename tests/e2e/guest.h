// A small real guest (tests/testbed/guest) as a domain of a Hypervisor: Linux with SSH, agent, a NoCloud seed and its
// own disk. Under emulation it is up in 5 to 10 s. Lives as long as its hypervisor; not thread-safe.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "tests/e2e/hypervisor.h"

namespace muster::e2e {

// Files, the same for all tests of this build; made when they are first asked for, in seconds.
struct GuestImage {
  std::string disk;    // qcow2, boots by itself, 96 MiB
  std::string kernel;  // of a faster boot without BIOS and boot loader: these three, the disk being vda
  std::string initrd;
  std::string kernel_words;  // its command line
  std::string up;            // the console shows it once SSH answers and the seed's commands were run
  int boot_ms = 60'000;      // may pass until then
  unsigned memory_mib = 192;
  unsigned most_cpus = 2;  // starts with one
};
GuestImage guest_image();
// The files in a directory as tests/testbed/guest leaves them there.
GuestImage guest_image_in(const std::string& directory);

struct Seed {
  std::string host_name;
  std::vector<std::string> authorized_keys = {};  // lines as in authorized_keys(5), for root
  std::vector<std::string> commands = {};         // of the shell, at the first boot
  std::string instance_id = {};                   // host_name if empty
};
// Writes a NoCloud seed, ISO 9660 with the label cidata.
void write_seed(const std::string& file, const Seed& seed);

class Guest {
 public:
  enum class Boot {
    kernel,  // QEMU loads the kernel: no BIOS, no boot loader
    disk,    // as a machine of one's own boots; seconds slower
  };
  enum class Link {
    user_mode,  // of QEMU, without a way out; the hypervisor's network sees only the forwarded port
    network,    // libvirt's network `default`, which is started; for hypervisors with a network of their own
  };
  struct Options {
    Seed seed;  // its host name is the domain's name
    Boot boot = Boot::kernel;
    Link link = Link::user_mode;
    std::optional<GuestImage> image = {};  // guest_image() if none
  };

  // Makes disk and seed in the hypervisor's directory and defines the domain. Does not start it.
  Guest(Hypervisor& hypervisor, Options options);

  const std::string& name() const { return options_.seed.host_name; }
  const std::string& disk() const { return disk_; }
  // Where SSH answers once it is up, on loopback. With Link::network only after wait_until_up().
  const Endpoint& endpoint() const { return endpoint_; }
  // What the serial console showed since the last start.
  std::string console() const;
  // Starts it and waits until SSH answers; throws Error{timeout} with the console's end.
  void start();
  void wait_until_up();
  // Polls until the agent answers. False if it does not within `patience_ms`.
  bool wait_for_agent(int patience_ms = 20'000) const;
  // "ssh-ed25519 BASE64", as its console tells. Only once it is up.
  std::string host_key() const;

 private:
  std::string xml() const;
  std::string network_xml() const;
  std::string leased_address() const;

  Hypervisor& hypervisor_;
  Options options_;
  GuestImage image_;
  std::string disk_, seed_, console_;
  Endpoint endpoint_, inside_;
};

// What a command of the guest's shell prints, by its agent; fails the test where it does not end.
std::string printed_in_guest(const Hypervisor& hypervisor, const std::string& domain, const std::string& command);

}  // namespace muster::e2e
