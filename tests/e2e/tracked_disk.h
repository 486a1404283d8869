// A disk of a running domain that the test writes to through QEMU itself, byte for byte known, whether the guest runs
// or is paused, or there is none.
#pragma once

#include <cstdint>
#include <string>

#include "tests/e2e/hypervisor.h"

namespace muster::e2e {

class TrackedDisk {
 public:
  // `device`: QEMU's, as `virtio-disk0`. The disk is all zeroes so far.
  TrackedDisk(const Hypervisor& hypervisor, std::string domain, std::string device, std::size_t size);

  // Of one byte value, through the running QEMU.
  void write(std::uint64_t offset, std::uint64_t length, unsigned char value);
  // Bytes that a file holds, which QEMU's user can read.
  void write_from(std::uint64_t offset, const std::string& path, const std::string& content);
  void discard(std::uint64_t offset, std::uint64_t length);
  // The same through qemu-io, on the image of a domain that is off.
  void write_offline(const std::string& image, std::uint64_t offset, std::uint64_t length, unsigned char value);
  // What was written outlives a QEMU that is killed.
  void flush() const { tell_qemu("flush"); }
  void grow(std::size_t size) { bytes_.resize(size); }

  const std::string& bytes() const { return bytes_; }

 private:
  void tell_qemu(const std::string& command) const;

  const Hypervisor& hypervisor_;
  std::string domain_, device_, bytes_;
};

}  // namespace muster::e2e
