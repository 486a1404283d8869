#include "vm/limits.h"

#include <algorithm>
#include <functional>

#include <fmt/format.h>

#include "base/error.h"
#include "virt/domain_xml.h"
#include "vm/cpu_list.h"

namespace muster::vm {
namespace {

using base::Code;
using base::Error;
using virt::Domain;
using virt::When;

constexpr const char* kNone = "none";

std::vector<When> times_of(const Domain& domain) {
  std::vector<When> times;
  if (domain.active()) times.push_back(When::now);
  if (domain.persistent()) times.push_back(When::next_start);
  return times;
}

virt::DomainXml xml_of(const Domain& domain, When when) {
  return virt::DomainXml(domain.xml(when == When::now ? Domain::Xml::current : Domain::Xml::definition));
}

std::vector<std::string> disks_of(const Domain& domain, When when) {
  std::vector<std::string> targets;
  for (const auto& disk : xml_of(domain, when).disks())
    if (disk.device == "disk") targets.push_back(disk.target);
  return targets;
}

std::vector<std::string> interfaces_of(const Domain& domain, When when) {
  std::vector<std::string> macs;
  for (const auto& interface : xml_of(domain, when).interfaces()) macs.push_back(interface.mac);
  return macs;
}

// --- as they are

virt::HostCpus every_cpu(const Domain& domain) {
  virt::HostCpus all;
  for (unsigned cpu = 0; cpu < virt::host_cpu_count(domain); ++cpu) all.insert(cpu);
  return all;
}

// `0-1`, or `0-1 2 2` where the virtual CPUs differ; empty where all may run everywhere.
std::string pin_text(const Domain& domain, When when) {
  const auto pins = virt::cpu_pins(domain, when);
  const bool alike = std::all_of(pins.begin(), pins.end(), [&](const auto& pin) { return pin == pins.front(); });
  if (pins.empty() || (alike && pins.front() == every_cpu(domain))) return "";
  std::string text;
  for (const auto& pin : pins) {
    text += (text.empty() ? "" : " ") + format_cpu_list(pin);
    if (alike) break;
  }
  return text;
}

class Readings {
 public:
  explicit Readings(const Domain& domain) : domain_(domain) {}

  std::vector<Limit> all() {
    for (const When when : times_of(domain_)) {
      attempt([&] {
        const auto time = virt::cpu_time(domain_, when);
        put("cpu-quota", "", when, time.quota_percent);
        put("cpu-shares", "", when, time.shares.value_or(0));
      });
      attempt([&] { put("cpu-pin", "", when, pin_text(domain_, when)); });
      attempt([&] { put("memory-limit", "", when, virt::memory_limit(domain_, when)); });
      for (const auto& disk : disks_of(domain_, when)) attempt([&] { put_disk(disk, when); });
      for (const auto& mac : interfaces_of(domain_, when)) attempt([&] { put_interface(mac, when); });
    }
    return std::move(limits_);
  }

 private:
  template <typename Read>
  static void attempt(const Read& read) {
    try {
      read();
    } catch (const Error& e) {
      if (e.code() != Code::unsupported) throw;
    }
  }

  void put_disk(const std::string& target, When when) {
    const auto disk = virt::disk_limits(domain_, target, when);
    put("iops", target, when, disk.iops);
    put("iops-read", target, when, disk.read_iops);
    put("iops-write", target, when, disk.write_iops);
    put("bps", target, when, disk.bytes);
    put("bps-read", target, when, disk.read_bytes);
    put("bps-write", target, when, disk.write_bytes);
  }

  void put_interface(const std::string& mac, When when) {
    const auto net = virt::net_limits(domain_, mac, when);
    put("in", mac, when, net.in_bytes);
    put("out", mac, when, net.out_bytes);
  }

  void put(const std::string& name, const std::string& device, When when, LimitValue value) {
    auto limit = std::find_if(limits_.begin(), limits_.end(),
                              [&](const Limit& l) { return l.name == name && l.device == device; });
    if (limit == limits_.end())
      limit = limits_.insert(limit, Limit{.name = name, .device = device, .now = {}, .next_start = {}});
    (when == When::now ? limit->now : limit->next_start) = std::move(value);
  }

  const Domain& domain_;
  std::vector<Limit> limits_;
};

// --- and as they are wanted

// A total and limits of each direction exclude each other.
virt::DiskLimits changed(virt::DiskLimits limits, const DiskLimitChange& change) {
  if (change.iops) limits.iops = *change.iops, limits.read_iops = limits.write_iops = 0;
  if (change.read_iops || change.write_iops) limits.iops = 0;
  limits.read_iops = change.read_iops.value_or(limits.read_iops);
  limits.write_iops = change.write_iops.value_or(limits.write_iops);
  if (change.bytes) limits.bytes = *change.bytes, limits.read_bytes = limits.write_bytes = 0;
  if (change.read_bytes || change.write_bytes) limits.bytes = 0;
  limits.read_bytes = change.read_bytes.value_or(limits.read_bytes);
  limits.write_bytes = change.write_bytes.value_or(limits.write_bytes);
  return limits;
}

virt::NetLimits changed(virt::NetLimits limits, const NetLimitChange& change) {
  return {.in_bytes = change.in_bytes.value_or(limits.in_bytes),
          .out_bytes = change.out_bytes.value_or(limits.out_bytes)};
}

std::string joined(const std::vector<std::string>& words) { return fmt::format("{}", fmt::join(words, ", ")); }

// The devices that `key` means; empty where `when` has none of them.
using DevicesOf = std::vector<std::string> (*)(const Domain&, When);
std::vector<std::string> meant(const Domain& domain, When when, DevicesOf devices_of, const std::string& key) {
  auto all = devices_of(domain, when);
  if (key == kAllDevices) return all;
  if (std::find(all.begin(), all.end(), key) != all.end()) return {key};
  const bool number = key.find_first_not_of("0123456789") == std::string::npos && key.size() < 4;
  if (const std::size_t n = number ? std::stoul(key) : 0; n >= 1 && n <= all.size()) return {all[n - 1]};
  return {};
}

class Setter {
 public:
  Setter(const virt::Connection& connection, const Domain& domain)
      : connection_(connection), domain_(domain), times_(times_of(domain)) {}

  void apply(const LimitChange& change) {
    check(change);
    if (change.cpu_quota_percent) set_quota(*change.cpu_quota_percent);
    if (change.cpu_shares) set_shares(*change.cpu_shares);
    if (change.cpu_pin) set_pin(*change.cpu_pin);
    if (change.memory_bytes) set_memory(*change.memory_bytes);
    for (const auto& [key, disk] : change.disks) set_disk(key, disk);
    for (const auto& [key, interface] : change.interfaces) set_interface(key, interface);
  }

 private:
  // What can be known to be wrong is found before anything is changed.
  void check(const LimitChange& change) const {
    for (const auto& [key, disk] : change.disks) need_device(disks_of, key, "disk");
    for (const auto& [key, interface] : change.interfaces) need_device(interfaces_of, key, "interface");
    if (!change.memory_bytes || *change.memory_bytes == 0) return;
    for (const When when : times_)
      if (const auto memory = virt::resources(domain_, when).max_memory_bytes; *change.memory_bytes < memory)
        throw Error(Code::refused,
                    fmt::format("a memory limit of {} KiB is below what '{}' may have, {} KiB: the host would kill it",
                                *change.memory_bytes / 1024, domain_.name(), memory / 1024));
    if (!virt::may_limit_memory(connection_).value_or(true))
      throw Error(Code::unsupported,
                  fmt::format("with a memory limit '{}' could not start: libvirtd of {} has no CAP_SYS_RESOURCE, which "
                              "it needs to limit locked memory",
                              domain_.name(), connection_.uri()));
  }

  void need_device(DevicesOf devices_of, const std::string& key, const char* kind) const {
    for (const When when : times_)
      if (key == kAllDevices || !meant(domain_, when, devices_of, key).empty()) return;
    const auto there = devices_of(domain_, times_.back());
    throw Error(Code::not_found, fmt::format("'{}' has no {} '{}'; there is {}", domain_.name(), kind, key,
                                             there.empty() ? "none" : joined(there)));
  }

  // Sets for each time, and compares what `has_it` says then. `name`: for messages.
  void each_time(const std::string& name, const std::function<void(When)>& set,
                 const std::function<bool(When)>& has_it) {
    for (const When when : times_) {
      try {
        if (has_it(when)) continue;
        set(when);
        if (!has_it(when))
          throw Error(Code::io, fmt::format("{} of '{}' was set, and {} has another", name, domain_.name(),
                                            when == When::now ? "the running machine" : "the definition"));
      } catch (const Error& e) {
        if (done_.empty()) throw;
        throw Error(e.code(), fmt::format("{}; set before that: {}", e.what(), joined(done_)));
      }
    }
    done_.push_back(name);
  }

  void set_quota(std::uint64_t percent) {
    each_time(
        "cpu-quota", [&](When when) { virt::set_cpu_quota(domain_, percent, when); },
        [&](When when) { return virt::cpu_time(domain_, when).quota_percent == percent; });
  }

  void set_shares(std::uint64_t shares) {
    each_time(
        "cpu-shares", [&](When when) { virt::set_cpu_shares(domain_, shares, when); },
        [&](When when) { return virt::cpu_time(domain_, when).shares == shares; });
  }

  void set_pin(const std::string& text) {
    const auto cpus = text == kNone ? every_cpu(domain_) : parse_cpu_list(text);
    const auto has_it = [&](When when) {
      const auto pins = virt::cpu_pins(domain_, when);
      return std::all_of(pins.begin(), pins.end(), [&](const auto& pin) { return pin == cpus; });
    };
    each_time(
        "cpu-pin", [&](When when) { virt::pin_cpus(domain_, cpus, when); }, has_it);
  }

  void set_memory(std::uint64_t bytes) {
    each_time(
        "memory-limit", [&](When when) { virt::set_memory_limit(domain_, bytes, when); },
        [&](When when) { return virt::memory_limit(domain_, when) == bytes; });
  }

  template <typename Read, typename Write, typename Change>
  void set_devices(DevicesOf devices_of, const std::string& key, const Change& change, const Read& read,
                   const Write& write) {
    const auto all = [&](When when) { return meant(domain_, when, devices_of, key); };
    const auto set = [&](When when) {
      for (const auto& device : all(when)) write(domain_, device, changed(read(domain_, device, when), change), when);
    };
    const auto has_it = [&](When when) {
      const auto devices = all(when);
      return std::all_of(devices.begin(), devices.end(), [&](const std::string& device) {
        const auto limits = read(domain_, device, when);
        return limits == changed(limits, change);
      });
    };
    each_time(key == kAllDevices ? "all devices" : key, set, has_it);
  }

  void set_disk(const std::string& key, const DiskLimitChange& change) {
    set_devices(disks_of, key, change, virt::disk_limits, virt::set_disk_limits);
  }

  void set_interface(const std::string& key, const NetLimitChange& change) {
    set_devices(interfaces_of, key, change, virt::net_limits, virt::set_net_limits);
  }

  const virt::Connection& connection_;
  const Domain& domain_;
  std::vector<When> times_;
  std::vector<std::string> done_;
};

}  // namespace

std::vector<Limit> limits(const Domain& domain) { return Readings(domain).all(); }

void set_limits(const virt::Connection& connection, const Domain& domain, const LimitChange& change) {
  Setter(connection, domain).apply(change);
}

}  // namespace muster::vm
