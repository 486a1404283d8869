#include "cli/metrics_text.h"

#include <array>
#include <limits>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace muster::cli {
namespace {

using nlohmann::json;

// A family whose samples are one field of an object.
struct Field {
  MetricFamily family;
  std::string_view field;
};

constexpr MetricFamily kUp{"muster_vm_up", "gauge", "Whether the machine runs and could be asked."};
constexpr MetricFamily kState{"muster_vm_state", "gauge", "1 for the state the machine is in, 0 for the others."};
constexpr MetricFamily kStale{"muster_vm_stale_seconds", "gauge",
                              "Since the machine or its hypervisor last answered; 0 if it does now."};
constexpr MetricFamily kLastAnswer{"muster_vm_last_answer_timestamp_seconds", "gauge",
                                   "Unix time at which the machine or its hypervisor last answered."};
constexpr MetricFamily kHypervisorUp{"muster_hypervisor_up", "gauge", "Whether the hypervisor answered in time."};
constexpr MetricFamily kNodeSeconds{"muster_hypervisor_cpu_seconds_total", "counter",
                                    "Time of all processors of the host, by mode."};
constexpr MetricFamily kWritten{"muster_stats_timestamp_seconds", "gauge", "Unix time at which this text was made."};

constexpr auto kMachineFields = std::to_array<Field>({
    {{"muster_vm_cpus", "gauge", "Virtual processors."}, "cpus"},
    {{"muster_vm_cpu_seconds_total", "counter", "Processor time used, emulator included."}, "cpu_seconds"},
    {{"muster_vm_cpu_user_seconds_total", "counter", "Processor time in user mode."}, "cpu_user_seconds"},
    {{"muster_vm_cpu_system_seconds_total", "counter", "Processor time in the host's kernel."}, "cpu_system_seconds"},
    {{"muster_vm_cpu_steal_seconds_total", "counter", "Time virtual processors waited for one of the host's."},
     "steal_seconds"},
    {{"muster_vm_memory_bytes", "gauge", "Memory given to the machine."}, "memory_bytes"},
    {{"muster_vm_memory_maximum_bytes", "gauge", "Memory it may be given."}, "max_memory_bytes"},
    {{"muster_vm_memory_resident_bytes", "gauge", "Memory it takes of the host."}, "resident_bytes"},
    {{"muster_vm_memory_unused_bytes", "gauge", "Memory the guest does not use at all."}, "unused_bytes"},
    {{"muster_vm_memory_available_bytes", "gauge", "Memory the guest sees as its own."}, "available_bytes"},
    {{"muster_vm_memory_usable_bytes", "gauge", "Memory the guest could use without swapping."}, "usable_bytes"},
});

constexpr auto kDiskFields = std::to_array<Field>({
    {{"muster_vm_disk_read_bytes_total", "counter", "Bytes read from the disk."}, "read_bytes"},
    {{"muster_vm_disk_reads_total", "counter", "Read requests to the disk."}, "read_requests"},
    {{"muster_vm_disk_written_bytes_total", "counter", "Bytes written to the disk."}, "written_bytes"},
    {{"muster_vm_disk_writes_total", "counter", "Write requests to the disk."}, "write_requests"},
    {{"muster_vm_disk_capacity_bytes", "gauge", "Size of the disk, as the guest sees it."}, "capacity_bytes"},
    {{"muster_vm_disk_allocation_bytes", "gauge", "What the disk's image takes."}, "allocation_bytes"},
});

constexpr auto kNetFields = std::to_array<Field>({
    {{"muster_vm_network_receive_bytes_total", "counter", "Bytes the machine received."}, "received_bytes"},
    {{"muster_vm_network_receive_packets_total", "counter", "Packets the machine received."}, "received_packets"},
    {{"muster_vm_network_receive_errors_total", "counter", "Errors while receiving."}, "received_errors"},
    {{"muster_vm_network_receive_drops_total", "counter", "Packets dropped while receiving."}, "received_drops"},
    {{"muster_vm_network_transmit_bytes_total", "counter", "Bytes the machine sent."}, "sent_bytes"},
    {{"muster_vm_network_transmit_packets_total", "counter", "Packets the machine sent."}, "sent_packets"},
    {{"muster_vm_network_transmit_errors_total", "counter", "Errors while sending."}, "sent_errors"},
    {{"muster_vm_network_transmit_drops_total", "counter", "Packets dropped while sending."}, "sent_drops"},
});

constexpr auto kNodeFields = std::to_array<Field>({
    {{"muster_hypervisor_cpus", "gauge", "Processors of the host."}, "cpus"},
    {{"muster_hypervisor_memory_bytes", "gauge", "Memory of the host."}, "memory_bytes"},
    {{"muster_hypervisor_memory_free_bytes", "gauge", "Memory of the host that nobody uses."}, "free_memory_bytes"},
});

constexpr auto kModes = std::to_array<std::pair<std::string_view, std::string_view>>(
    {{"user", "user_seconds"}, {"system", "system_seconds"}, {"idle", "idle_seconds"}, {"iowait", "io_wait_seconds"}});

constexpr auto kStates = std::to_array<std::string_view>(
    {"running", "paused", "shutting down", "shut off", "crashed", "suspended by guest", "saved", "blocked", "unknown"});

// name="value", with what the format wants escaped.
std::string label(std::string_view name, std::string_view value) {
  std::string text = fmt::format("{}=\"", name);
  for (const char c : value) {
    if (c == '\n')
      text += "\\n";
    else
      text += (c == '"' || c == '\\') ? std::string{'\\', c} : std::string(1, c);
  }
  return text + '"';
}

std::string hypervisor_label(const std::string& uri) { return label("hypervisor", uri); }
std::string machine_labels(const std::string& name, const std::string& uri) {
  return label("vm", name) + "," + hypervisor_label(uri);
}

std::string number(double value) {
  if (value == std::numeric_limits<double>::infinity()) return "+Inf";
  return value == static_cast<double>(static_cast<std::int64_t>(value)) ? fmt::format("{:.0f}", value)
                                                                        : fmt::format("{}", value);
}

class Text {
 public:
  void add(const MetricFamily& family, const std::string& labels, const std::string& value) {
    samples_[family.name] += fmt::format("{}{} {}\n", family.name, labels.empty() ? "" : "{" + labels + "}", value);
  }
  void add(const MetricFamily& family, const std::string& labels, double value) { add(family, labels, number(value)); }
  template <typename Fields>
  void add_fields(const Fields& fields, const json& object, const std::string& labels) {
    for (const Field& field : fields)
      if (const auto found = object.find(field.field); found != object.end() && found->is_number())
        add(field.family, labels, found->is_number_float() ? number(found->get<double>()) : found->dump());
  }

  std::string whole() const {
    std::string text;
    for (const auto& family : metric_families()) {
      const auto samples = samples_.find(family.name);
      if (samples == samples_.end()) continue;
      text +=
          fmt::format("# HELP {0} {1}\n# TYPE {0} {2}\n{3}", family.name, family.help, family.type, samples->second);
    }
    return text;
  }

 private:
  std::map<std::string_view, std::string> samples_;
};

class Writer {
 public:
  Writer(const LastAnswers& earlier, double now) : earlier_(earlier), now_(now) {}

  void add(const json& hypervisor) {
    const std::string uri = hypervisor.at("uri");
    const bool up = !hypervisor.contains("error");
    text_.add(kHypervisorUp, hypervisor_label(uri), up ? 1 : 0);
    for (const auto& machine : hypervisor.value("machines", json::array())) add_machine(machine, uri);
    for (const auto& name : hypervisor.value("missing", json::array()))
      add_silent(machine_labels(name, uri), "unknown");
    if (up)
      add_node(hypervisor.value("node", json::object()), uri);
    else
      add_known_earlier(uri);
  }

  std::string whole() {
    text_.add(kWritten, "", now_);
    return text_.whole();
  }

 private:
  void add_machine(const json& machine, const std::string& uri) {
    const std::string labels = machine_labels(machine.value("host", machine.value("name", "")), uri);
    const std::string state = machine.value("state", "unknown");
    if (machine.value("stale", false)) {
      add_silent(labels, state);
    } else {
      text_.add(kUp, labels, state == "running" || state == "blocked" ? 1 : 0);
      text_.add(kStale, labels, 0);
      text_.add(kLastAnswer, labels, now_);
      add_state(labels, state);
    }
    text_.add_fields(kMachineFields, machine, labels);
    for (const auto& disk : machine.value("disks", json::array()))
      text_.add_fields(kDiskFields, disk, labels + "," + label("device", disk.value("target", "")));
    for (const auto& nic : machine.value("interfaces", json::array()))
      text_.add_fields(kNetFields, nic, labels + "," + label("device", nic.value("device", "")));
  }

  void add_silent(const std::string& labels, const std::string& state) {
    told_[labels] = true;
    text_.add(kUp, labels, 0);
    add_state(labels, state);
    const auto last = earlier_.find(labels);
    const bool known = last != earlier_.end();
    text_.add(kStale, labels, known ? now_ - last->second : std::numeric_limits<double>::infinity());
    if (known) text_.add(kLastAnswer, labels, last->second);
  }

  void add_known_earlier(const std::string& uri) {
    const std::string tail = "," + hypervisor_label(uri);
    for (const auto& [labels, when] : earlier_)
      if (labels.ends_with(tail) && !told_.contains(labels)) add_silent(labels, "unknown");
  }

  void add_state(const std::string& labels, const std::string& state) {
    for (const auto known : kStates) text_.add(kState, labels + "," + label("state", known), known == state ? 1 : 0);
  }

  void add_node(const json& node, const std::string& uri) {
    text_.add_fields(kNodeFields, node, hypervisor_label(uri));
    for (const auto& [mode, field] : kModes)
      if (const auto found = node.find(field); found != node.end())
        text_.add(kNodeSeconds, hypervisor_label(uri) + "," + label("mode", mode), found->get<double>());
  }

  const LastAnswers& earlier_;
  double now_;
  std::map<std::string, bool> told_;
  Text text_;
};

}  // namespace

std::vector<MetricFamily> metric_families() {
  std::vector<MetricFamily> all{kUp, kState, kStale, kLastAnswer};
  for (const auto& field : kMachineFields) all.push_back(field.family);
  for (const auto& field : kDiskFields) all.push_back(field.family);
  for (const auto& field : kNetFields) all.push_back(field.family);
  all.push_back(kHypervisorUp);
  for (const auto& field : kNodeFields) all.push_back(field.family);
  all.push_back(kNodeSeconds);
  all.push_back(kWritten);
  return all;
}

LastAnswers last_answers(std::string_view text) {
  const std::string lead = std::string(kLastAnswer.name) + "{";
  LastAnswers answers;
  for (std::size_t from = 0; from < text.size();) {
    const std::size_t end = std::min(text.find('\n', from), text.size());
    const std::string_view line = text.substr(from, end - from);
    from = end + 1;
    const std::size_t close = line.rfind("} ");
    if (!line.starts_with(lead) || close == std::string_view::npos) continue;
    const json value = json::parse(line.substr(close + 2), nullptr, false);
    if (value.is_number()) answers[std::string(line.substr(lead.size(), close - lead.size()))] = value.get<double>();
  }
  return answers;
}

std::string metrics_text(const std::vector<json>& hypervisors, const LastAnswers& earlier, double now) {
  Writer writer(earlier, now);
  for (const auto& hypervisor : hypervisors) writer.add(hypervisor);
  return writer.whole();
}

}  // namespace muster::cli
