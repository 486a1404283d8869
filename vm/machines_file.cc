#include "vm/machines_file.h"

#include "base/error.h"
#include "base/quantity.h"
#include "inventory/schema_document.h"
#include "vm/seed_files.h"

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
  explicit Reader(const std::string& path) : document_(path) {}

  std::vector<DescribedMachine> read() {
    const Node& root = document_.root();
    if (!root.is_mapping())
      document_.fail(root, "the file is no mapping; write 'machines:', and below it each machine as 'NAME:'");
    for (const auto& [key, value] : root.entries) document_.check_key(key, kTopKeys);
    const Node* machines = root.find("machines");
    if (machines == nullptr || !machines->is_mapping() || machines->entries.empty())
      document_.fail(machines == nullptr ? root : *machines,
                     "there are no machines; write 'machines:', and below it 'NAME:'");
    if (machines->entries.size() > kMaxMachines) document_.fail(*machines, "more than 10000 machines; split the file");
    std::vector<DescribedMachine> all;
    for (const auto& [name, value] : machines->entries) all.push_back(machine(name, value));
    return all;
  }

 private:
  std::string text(const Node& key, const Node& value) const {
    if (!value.is_scalar() || value.is_null())
      document_.fail(value, "'" + key.text + "' has no value; write one word after the colon");
    return value.text;
  }

  std::string file(const Node& key, const Node& value) const { return document_.path(text(key, value)); }

  DescribedMachine machine(const Node& name, const Node& value) const {
    if (!value.is_mapping() && !value.is_null())
      document_.fail(value, "machine '" + name.text + "' is no mapping; write 'KEY: VALUE' on lines below it");
    DescribedMachine made;
    SeedFiles seed;
    made.request.name = name.text;
    for (const auto& [key, word] : document_.root().entries)
      if (key.text == "connection") made.connection = text(key, word);
    if (const Node* defaults = document_.root().find("defaults")) take_all(*defaults, made, seed);
    take_all(value, made, seed);
    document_.at(value.is_null() ? name : value, [&] {
      made.request.seed = read_seed(seed);
      check(made.request);
    });
    return made;
  }

  // Values of the machine's own replace those of the defaults, lists as a whole.
  void take_all(const Node& mapping, DescribedMachine& made, SeedFiles& seed) const {
    if (!mapping.is_mapping() && !mapping.is_null())
      document_.fail(mapping, "this is no mapping; write 'KEY: VALUE' on lines");
    for (const auto& [key, value] : mapping.entries) {
      document_.check_key(key, kMachineKeys);
      if (!take_list(key, value, made.request, seed) && !take_seed(key, value, seed)) take(key, value, made);
    }
  }

  void take(const Node& key, const Node& value, DescribedMachine& made) const {
    MachineRequest& request = made.request;
    if (key.text == "autostart") {
      request.autostart = document_.truth(key, value);
    } else if (key.text == "start") {
      made.start = document_.truth(key, value);
    } else {
      const std::string word = text(key, value);
      document_.at(value, [&] {
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
    if (!value.is_sequence()) document_.fail(value, "'" + key.text + "' is no list; begin each of them with '- '");
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
      document_.at(item, [&] { made = parse_disk(item.text); });
      return made;
    }
    if (!item.is_mapping()) document_.fail(item, "a disk is text, as of --disk, or a mapping with 'size:'");
    for (const auto& [key, value] : item.entries) {
      const std::string word = text(key, value);
      document_.at(key, [&] { set_disk_key(made, key.text, word); });
    }
    return made;
  }

  NetworkRequest network(const Node& item) const {
    NetworkRequest made;
    if (item.is_scalar()) {
      document_.at(item, [&] { made = parse_network(item.text); });
      return made;
    }
    if (!item.is_mapping())
      document_.fail(item, "a network is text, as of --network, or a mapping with 'network:' or 'bridge:'");
    for (const auto& [key, value] : item.entries) {
      const std::string word = text(key, value);
      document_.at(key, [&] { set_network_key(made, key.text, word); });
    }
    return made;
  }

  const inventory::SchemaDocument document_;
};

}  // namespace

std::vector<DescribedMachine> read_machines(const std::string& path) { return Reader(path).read(); }

}  // namespace muster::vm
