#include "vm/machines_file.h"

#include <filesystem>
#include <functional>

#include "base/error.h"
#include "base/quantity.h"
#include "inventory/close_names.h"
#include "vm/seed_files.h"
#include "yaml/document.h"
#include "yaml/scalar.h"

namespace muster::vm {
namespace {

using base::Code;
using base::Error;
using yaml::Node;

constexpr std::size_t kMaxMachines = 10'000;

const std::vector<std::string_view> kTopKeys = {"machines", "defaults", "connection"};
const std::vector<std::string_view> kMachineKeys = {"connection",     "cpus",      "memory",   "firmware", "disks",
                                                    "networks",       "iso",       "hostname", "ssh_keys", "user_data",
                                                    "network_config", "autostart", "start"};

class Reader {
 public:
  explicit Reader(const std::string& path)
      : document_(yaml::parse_file(path)), directory_(std::filesystem::path(path).parent_path()) {}

  std::vector<DescribedMachine> read() {
    const Node& root = document_.root;
    if (!root.is_mapping())
      fail(root, "the file is no mapping; write 'machines:', and below it each machine as 'NAME:'");
    for (const auto& [key, value] : root.entries) check_key(key, kTopKeys);
    const Node* machines = root.find("machines");
    if (machines == nullptr || !machines->is_mapping() || machines->entries.empty())
      fail(machines == nullptr ? root : *machines, "there are no machines; write 'machines:', and below it 'NAME:'");
    if (machines->entries.size() > kMaxMachines) fail(*machines, "more than 10000 machines; split the file");
    std::vector<DescribedMachine> all;
    for (const auto& [name, value] : machines->entries) all.push_back(machine(name, value));
    return all;
  }

 private:
  [[noreturn]] void fail(const Node& node, const std::string& text) const {
    const yaml::Position at = node.at.line == 0 ? yaml::Position{1, 1} : node.at;
    throw Error(Code::usage, yaml::located(document_.file, at, text));
  }

  void check_key(const Node& key, const std::vector<std::string_view>& known) const {
    for (const auto name : known)
      if (key.text == name) return;
    fail(key, "unknown key '" + key.text + "'" + inventory::known_words(key.text, known));
  }

  // What `use` finds wrong, at the node's place.
  void at(const Node& node, const std::function<void()>& use) const {
    try {
      use();
    } catch (const Error& e) {
      fail(node, e.what());
    }
  }

  std::string text(const Node& key, const Node& value) const {
    if (!value.is_scalar() || value.is_null())
      fail(value, "'" + key.text + "' has no value; write one word after the colon");
    return value.text;
  }

  bool truth(const Node& key, const Node& value) const {
    const auto resolved = value.is_scalar() ? yaml::resolve(value, yaml::Schema::core_1_2) : yaml::Scalar();
    if (const auto* flag = std::get_if<bool>(&resolved)) return *flag;
    fail(value, "'" + key.text + "' is neither true nor false; write one of them");
  }

  std::string file(const Node& key, const Node& value) const {
    const std::filesystem::path path = text(key, value);
    return path.is_absolute() ? path : directory_ / path;
  }

  DescribedMachine machine(const Node& name, const Node& value) const {
    if (!value.is_mapping() && !value.is_null())
      fail(value, "machine '" + name.text + "' is no mapping; write 'KEY: VALUE' on lines below it");
    DescribedMachine made;
    SeedFiles seed;
    made.request.name = name.text;
    for (const auto& [key, word] : document_.root.entries)
      if (key.text == "connection") made.connection = text(key, word);
    if (const Node* defaults = document_.root.find("defaults")) take_all(*defaults, made, seed);
    take_all(value, made, seed);
    at(value.is_null() ? name : value, [&] {
      made.request.seed = read_seed(seed);
      check(made.request);
    });
    return made;
  }

  // Values of the machine's own replace those of the defaults, lists as a whole.
  void take_all(const Node& mapping, DescribedMachine& made, SeedFiles& seed) const {
    if (!mapping.is_mapping() && !mapping.is_null()) fail(mapping, "this is no mapping; write 'KEY: VALUE' on lines");
    for (const auto& [key, value] : mapping.entries) {
      check_key(key, kMachineKeys);
      if (!take_list(key, value, made.request, seed) && !take_seed(key, value, seed)) take(key, value, made);
    }
  }

  void take(const Node& key, const Node& value, DescribedMachine& made) const {
    MachineRequest& request = made.request;
    if (key.text == "autostart") {
      request.autostart = truth(key, value);
    } else if (key.text == "start") {
      made.start = truth(key, value);
    } else {
      const std::string word = text(key, value);
      at(value, [&] {
        if (key.text == "connection") made.connection = word;
        if (key.text == "cpus")
          request.cpus = static_cast<unsigned>(base::parse_integer(word, 1, MachineRequest::kMaxCpus, "cpus"));
        if (key.text == "memory") request.memory_bytes = base::parse_size(word);
        if (key.text == "firmware") request.firmware = parse_firmware(word);
        if (key.text == "iso") request.iso = word;
      });
    }
  }

  bool take_seed(const Node& key, const Node& value, SeedFiles& seed) const {
    if (key.text == "hostname")
      seed.host_name = text(key, value);
    else if (key.text == "user_data")
      seed.user_data = file(key, value);
    else if (key.text == "network_config")
      seed.network_config = file(key, value);
    else
      return false;
    return true;
  }

  bool take_list(const Node& key, const Node& value, MachineRequest& request, SeedFiles& seed) const {
    if (key.text != "disks" && key.text != "networks" && key.text != "ssh_keys") return false;
    if (!value.is_sequence()) fail(value, "'" + key.text + "' is no list; begin each of them with '- '");
    if (key.text == "disks") {
      request.disks.clear();
      for (const auto& item : value.items) request.disks.push_back(disk(item));
    } else if (key.text == "networks") {
      request.networks.clear();
      for (const auto& item : value.items) request.networks.push_back(network(item));
    } else {
      seed.public_keys.clear();
      for (const auto& item : value.items) seed.public_keys.push_back(file(key, item));
    }
    return true;
  }

  DiskRequest disk(const Node& item) const {
    DiskRequest made;
    if (item.is_scalar()) {
      at(item, [&] { made = parse_disk(item.text); });
      return made;
    }
    if (!item.is_mapping()) fail(item, "a disk is text, as of --disk, or a mapping with 'size:'");
    for (const auto& [key, value] : item.entries) {
      const std::string word = text(key, value);
      at(key, [&] { set_disk_key(made, key.text, word); });
    }
    return made;
  }

  NetworkRequest network(const Node& item) const {
    NetworkRequest made;
    if (item.is_scalar()) {
      at(item, [&] { made = parse_network(item.text); });
      return made;
    }
    if (!item.is_mapping()) fail(item, "a network is text, as of --network, or a mapping with 'network:' or 'bridge:'");
    for (const auto& [key, value] : item.entries) {
      const std::string word = text(key, value);
      at(key, [&] { set_network_key(made, key.text, word); });
    }
    return made;
  }

  yaml::Document document_;
  std::filesystem::path directory_;
};

}  // namespace

std::vector<DescribedMachine> read_machines(const std::string& path) { return Reader(path).read(); }

}  // namespace muster::vm
