#include "vm/compare_machine.h"

#include <algorithm>
#include <cctype>

#include <fmt/format.h>

#include "virt/domain_xml.h"
#include "virt/statistics.h"
#include "virt/storage.h"
#include "vm/domain_builder.h"

namespace muster::vm {
namespace {

class Comparison {
 public:
  Comparison(const virt::Connection& connection, const virt::Domain& domain, const MachineRequest& request)
      : connection_(connection), domain_(domain), request_(request), xml_(domain.xml(virt::Domain::Xml::definition)) {}

  std::vector<std::string> all() {
    expect("cpus", xml_.max_cpus(), request_.cpus);
    expect("memory", size(xml_.memory_bytes()), size(request_.memory_bytes));
    const std::string firmware = xml_.firmware();
    if (!firmware.empty()) expect("firmware", firmware == "efi" ? "uefi" : "bios", name_of(request_.firmware));
    expect("autostart", domain_.autostart() ? "on" : "off", request_.autostart ? "on" : "off");
    compare_disks();
    if (!request_.networks.empty()) compare_networks();
    return std::move(found_);
  }

 private:
  template <typename Is, typename Wanted>
  void expect(const std::string& what, const Is& is, const Wanted& wanted) {
    const std::string is_text = fmt::format("{}", is), wanted_text = fmt::format("{}", wanted);
    if (is_text != wanted_text) found_.push_back(fmt::format("{} is {}, not {}", what, is_text, wanted_text));
  }

  static std::string size(std::uint64_t bytes) {
    constexpr std::uint64_t kMib = 1U << 20;
    return bytes % kMib == 0 ? fmt::format("{} MiB", bytes / kMib) : fmt::format("{} bytes", bytes);
  }

  void compare_disks() {
    DiskNames names;
    std::size_t number = 0;
    for (const auto& disk : request_.disks) {
      const std::string target = names.next(name_of(disk.bus));
      compare_disk(disk, target);
      ++number;
    }
    const auto disks = xml_.disks();
    const auto there = static_cast<std::size_t>(
        std::count_if(disks.begin(), disks.end(), [](const auto& disk) { return disk.device == "disk"; }));
    if (there > number) expect("number of disks", there, number);
  }

  void compare_disk(const DiskRequest& disk, const std::string& target) {
    const auto disks = xml_.disks();
    const auto there = std::find_if(disks.begin(), disks.end(), [&](const auto& d) { return d.target == target; });
    if (there == disks.end()) return found_.push_back("disk " + target + " is not there");
    if (!there->format.empty()) expect("format of disk " + target, there->format, virt::name_of(disk.format));
    const auto capacity = capacity_of(*there);
    if (disk.size_bytes != 0 && capacity) expect("size of disk " + target, size(*capacity), size(disk.size_bytes));
  }

  std::optional<std::uint64_t> capacity_of(const virt::DiskElement& disk) {
    if (const auto volume = virt::volume_of_path(connection_, disk.source)) return virt::facts(*volume).capacity_bytes;
    return virt::disk_sizes(domain_, disk.target).capacity_bytes;
  }

  static std::string described(const std::string& kind, const std::string& source) {
    return source.empty() ? kind : kind + "=" + source;
  }

  void compare_networks() {
    std::vector<NetworkRequest> wanted;
    for (const auto& network : request_.networks)
      if (network.kind != NetworkRequest::Kind::none) wanted.push_back(network);
    const auto there = xml_.interfaces();
    if (there.size() != wanted.size()) return expect("number of network interfaces", there.size(), wanted.size());
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      const std::string which = fmt::format("network interface {}", i + 1);
      expect(which, described(there[i].type, there[i].source), described(name_of(wanted[i].kind), wanted[i].source));
      if (!there[i].model.empty()) expect("model of " + which, there[i].model, wanted[i].model);
      if (!wanted[i].mac.empty()) expect("mac of " + which, there[i].mac, lower(wanted[i].mac));
    }
  }

  static std::string lower(std::string text) {
    for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    return text;
  }

  const virt::Connection& connection_;
  const virt::Domain& domain_;
  const MachineRequest& request_;
  virt::DomainXml xml_;
  std::vector<std::string> found_;
};

}  // namespace

std::vector<std::string> differences(const virt::Connection& connection, const virt::Domain& domain,
                                     const MachineRequest& request) {
  return Comparison(connection, domain, request).all();
}

}  // namespace muster::vm
