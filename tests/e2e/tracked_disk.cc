#include "tests/e2e/tracked_disk.h"

#include <algorithm>

#include "base/error.h"

namespace muster::e2e {
namespace {

std::string write_command(std::uint64_t offset, std::uint64_t length, unsigned char value) {
  return "write -P " + std::to_string(value) + " " + std::to_string(offset) + " " + std::to_string(length);
}

}  // namespace

TrackedDisk::TrackedDisk(const Hypervisor& hypervisor, std::string domain, std::string device, std::size_t size)
    : hypervisor_(hypervisor), domain_(std::move(domain)), device_(std::move(device)), bytes_(size, '\0') {}

void TrackedDisk::tell_qemu(const std::string& command) const {
  hypervisor_.virsh({"qemu-monitor-command", domain_, "--hmp",
                     "qemu-io -d /machine/peripheral/" + device_ + "/virtio-backend \"" + command + "\""});
}

void TrackedDisk::write(std::uint64_t offset, std::uint64_t length, unsigned char value) {
  tell_qemu(write_command(offset, length, value));
  std::fill_n(bytes_.begin() + static_cast<std::ptrdiff_t>(offset), length, static_cast<char>(value));
}

void TrackedDisk::write_from(std::uint64_t offset, const std::string& path, const std::string& content) {
  tell_qemu("write -s " + path + " " + std::to_string(offset) + " " + std::to_string(content.size()));
  bytes_.replace(offset, content.size(), content);
}

void TrackedDisk::discard(std::uint64_t offset, std::uint64_t length) {
  tell_qemu("write -z -u " + std::to_string(offset) + " " + std::to_string(length));
  std::fill_n(bytes_.begin() + static_cast<std::ptrdiff_t>(offset), length, '\0');
}

void TrackedDisk::write_offline(const std::string& image, std::uint64_t offset, std::uint64_t length,
                                unsigned char value) {
  const auto done = run({.argv = {"qemu-io", "-f", "qcow2", "-c", write_command(offset, length, value), image}});
  if (done.code != 0) throw base::Error(base::Code::io, "qemu-io: " + done.err);
  std::fill_n(bytes_.begin() + static_cast<std::ptrdiff_t>(offset), length, static_cast<char>(value));
}

}  // namespace muster::e2e
