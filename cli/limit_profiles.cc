#include "cli/limit_profiles.h"

#include <functional>

#include <unistd.h>

#include "base/error.h"

namespace muster::cli {
namespace {

using base::Code;
using base::Error;

// Reads one node; what goes wrong is at its place.
class Reader {
 public:
  explicit Reader(const std::string& file) : file_(file) {}

  LimitProfiles profiles(const yaml::Node& node) const {
    LimitProfiles all;
    each(node, "write `NAME: {cpu_quota: 100%, ...}` lines",
         [&](const std::string& name, const yaml::Entry& entry) { all[name] = profile(entry.value); });
    return all;
  }

 private:
  [[noreturn]] void reject(const yaml::Node& node, const std::string& why) const {
    throw Error(Code::usage, yaml::located(file_, node.at, why));
  }

  template <typename Use>
  void each(const yaml::Node& node, const char* what, const Use& use) const {
    if (!node.is_mapping()) reject(node, what);
    for (const auto& entry : node.entries) use(entry.key.text, entry);
  }

  void at_its_place(const yaml::Node& node, const std::function<void()>& read) const {
    if (!node.is_scalar()) reject(node, "write one value");
    try {
      read();
    } catch (const Error& e) {
      reject(node, e.what());
    }
  }

  using Add = void (*)(Rates&, const std::string&, const std::string&);
  Rates rates(const yaml::Node& node, Add add) const {
    Rates all;
    each(node, "write limits as {iops: 500, bps: 50M} for disks, {in: 10M, out: 10M} for interfaces",
         [&](std::string name, const yaml::Entry& entry) {
           for (char& c : name)
             if (c == '_') c = '-';
           at_its_place(entry.value, [&] { add(all, name, entry.value.text); });
         });
    return all;
  }

  LimitValues profile(const yaml::Node& node) const {
    LimitValues limits;
    each(node, "write `cpu_quota: 100%` and the like", [&](const std::string& key, const yaml::Entry& entry) {
      const auto plain = [&](const char* name) {
        at_its_place(entry.value, [&] { set_limit(limits, name, entry.value.text); });
      };
      if (key == "cpu_quota") return plain("cpu-quota");
      if (key == "cpu_shares") return plain("cpu-shares");
      if (key == "cpu_pin") return plain("cpu-pin");
      if (key == "memory_limit") return plain("memory-limit");
      if (key == "disks")
        limits.disks["*"] = rates(entry.value, add_disk_rate);
      else if (key == "interfaces")
        limits.interfaces["*"] = rates(entry.value, add_net_rate);
      else
        reject(entry.key, "unknown key '" + key +
                              "' of a profile; the keys are cpu_quota, cpu_shares, cpu_pin, memory_limit, disks, "
                              "interfaces");
    });
    return limits;
  }

  const std::string& file_;
};

}  // namespace

LimitProfiles limit_profiles(const yaml::Node& node, const std::string& file) { return Reader(file).profiles(node); }

LimitProfiles limit_profiles(const std::vector<std::string>& files) {
  LimitProfiles all;
  for (const auto& file : files) {
    if (::access(file.c_str(), F_OK) != 0) continue;
    const yaml::Document document = yaml::parse_file(file);
    const yaml::Node* node = document.root.is_mapping() ? document.root.find(kProfilesKey) : nullptr;
    if (node == nullptr) continue;
    for (auto& [name, limits] : limit_profiles(*node, file)) all[name] = std::move(limits);
  }
  return all;
}

}  // namespace muster::cli
