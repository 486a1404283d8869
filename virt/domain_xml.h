// A domain's XML, read and changed in place: elements and attributes that nobody here knows stay as they are. Reading
// is limited in size and depth; the XML may come from anywhere. A value: copies are independent. Not thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pugi {
class xml_node;
}

namespace muster::virt {

// A <disk>.
struct DiskElement {
  std::string target;  // `vda`
  std::string bus;     // `virtio`, `sata`, ...
  std::string device;  // `disk`, `cdrom`, `floppy`, `lun`
  std::string type;    // `file`, `block`, `network`, `volume`, ...
  std::string format;  // of its driver: `qcow2`, `raw`; empty where not said
  std::string source;  // path, or what stands for one: `POOL/VOLUME`, `PROTOCOL:NAME`; empty: nothing is inserted
  bool read_only = false;
  bool shareable = false;
  // By the hypervisor, or an image below it is: files are not what the guest sees.
  bool encrypted = false;
};

// An <interface>.
struct InterfaceElement {
  std::string type;    // `network`, `bridge`, `user`, ...
  std::string source;  // network, bridge or device
  std::string mac;
  std::string model;
  std::string target;  // the hypervisor's device, of a running domain
};

class DomainXml {
 public:
  static constexpr std::size_t kMaxBytes = 8U << 20;

  // Throws base::Error{usage} for text that is no domain's XML.
  explicit DomainXml(std::string_view text);
  DomainXml(const DomainXml& other);
  DomainXml& operator=(const DomainXml& other);
  DomainXml(DomainXml&&) noexcept;
  DomainXml& operator=(DomainXml&&) noexcept;
  ~DomainXml();

  std::string text() const;

  std::string type() const;  // `kvm`, `qemu`, `lxc`, ...
  std::string name() const;
  std::string uuid() const;
  std::uint64_t memory_bytes() const;          // what it may have at most
  std::uint64_t current_memory_bytes() const;  // what it has
  unsigned cpus() const;                       // what it has
  unsigned max_cpus() const;
  std::string nvram() const;  // path; empty: none, or libvirt is to choose it
  void set_nvram(const std::string& path);
  // Whom the files of a running domain belong to, `+64055:+107` or names; empty where it is not said.
  std::string owner() const;
  std::string machine() const;
  std::string firmware() const;  // `bios`, `efi`; empty for a driver without

  std::vector<DiskElement> disks() const;
  std::vector<InterfaceElement> interfaces() const;
  // Of a container: the directory on the host that is its `/`; empty: it has none.
  std::string root_directory() const;
  // <devices><TAG>: whether there is one.
  bool has_device(const char* tag) const;
  // Of an emulated TPM, `2.0` or `1.2`; empty: it has none.
  std::string tpm_version() const;

  // For what the functions above do not know, in virt/ only. The node belongs to the document.
  pugi::xml_node root() const;

 private:
  struct Document;
  std::unique_ptr<Document> document_;
};

// A size element with its `unit`, as libvirt reads it (`KiB` where there is none). Throws base::Error{usage}.
std::uint64_t size_bytes(const pugi::xml_node& element);

// The text of one node with what is in it.
std::string node_text(const pugi::xml_node& node);

}  // namespace muster::virt
