#include "clone/first_boot.h"

#include "base/error.h"
#include "base/quantity.h"
#include "clone/host_keys_on_disk.h"
#include "virt/domain_xml.h"
#include "virt/lifecycle.h"
#include "virt/metadata.h"
#include "vm/console_log.h"
#include "vm/guest_host_keys.h"
#include "vm/own_seed.h"
#include "vm/polling.h"

namespace muster::clone {
namespace {

using base::Code;
using base::Error;

constexpr const char* kHostKeysPart = "host_keys";

std::optional<HostKeysHeard> noted(const virt::Domain& domain) {
  const auto part = virt::own_metadata_part(domain, kHostKeysPart);
  if (!part) return std::nullopt;
  HostKeysHeard heard{.keys = {}, .by = HeardBy::metadata};
  for (const auto known : {HeardBy::disk, HeardBy::seed})
    if (part->attribute("by") == name_of(known)) heard.by = known;
  for (const auto& key : part->children)
    for (const auto& line : vm::host_keys_in(key.text)) heard.keys.push_back(line);
  return heard.keys.empty() ? std::nullopt : std::optional(heard);
}

// What cloud-init knows it as, where it has a seed; else it has no keys but its image's.
std::string instance_of(const virt::Domain& domain) { return vm::has_seed_noted(domain) ? domain.uuid() : ""; }

// An agent that may not tell is as good as none.
std::vector<std::string> told_by_agent(const base::Context& ctx, const virt::Domain& domain,
                                       const std::string& instance, std::string& complaint) {
  try {
    auto keys = vm::host_keys_by_agent(ctx, domain, instance);
    complaint = "its agent has not answered, or told no key";
    return keys;
  } catch (const Error& e) {
    if (e.code() == Code::cancelled) throw;
    complaint = e.what();
    return {};
  }
}

// A disk that cannot be looked into is as good as none.
std::vector<std::string> read_on_disk(const base::Context& ctx, const virt::Connection& connection,
                                      const virt::Domain& domain, const DiskReach& reach) {
  try {
    return host_keys_on_disk(ctx, connection, domain, instance_of(domain), reach);
  } catch (const Error& e) {
    if (e.code() == Code::cancelled) throw;
    ctx.note("the disk of '" + domain.name() + "' tells no host key: " + e.what());
    return {};
  }
}

// From the first instruction on: what it says before somebody listens is lost.
class Listener {
 public:
  explicit Listener(const virt::Domain& domain) {
    try {
      log_.emplace(domain);
    } catch (const Error& e) {
      complaint_ = e.what();
    }
  }
  std::vector<std::string> keys() {
    if (!log_) return {};
    auto keys = vm::host_keys_on_console(log_->text());
    if (keys.empty()) complaint_ = "its console told none";
    return keys;
  }
  const std::string& complaint() const { return complaint_; }

 private:
  std::optional<vm::ConsoleLog> log_;
  std::string complaint_;
};

}  // namespace

const char* name_of(HeardBy source) {
  switch (source) {
    case HeardBy::agent:
      return "agent";
    case HeardBy::console:
      return "console";
    case HeardBy::metadata:
      return "metadata";
    case HeardBy::disk:
      return "disk";
    case HeardBy::seed:
      return "seed";
  }
  return "";
}

virt::MetadataElement note_of_keys(const std::string& uuid, const HostKeysHeard& heard) {
  virt::MetadataElement part{.name = kHostKeysPart, .attributes = {{"uuid", uuid}, {"by", name_of(heard.by)}}};
  for (const auto& key : heard.keys) part.children.push_back({.name = "key", .text = key});
  return part;
}

HostKeysHeard start_and_hear_keys(const base::Context& ctx, const virt::Domain& domain,
                                  std::chrono::milliseconds patience) {
  const bool off = !domain.active();
  const auto before = noted(domain);
  // Nobody has to be there from the first instruction on for keys that are known.
  if (off) virt::start(domain, before ? virt::StartAs::running : virt::StartAs::paused);
  Listener listener(domain);
  // Also where somebody was killed in between.
  if (!before && domain.state() == virt::State::paused) virt::resume(domain);
  HostKeysHeard heard;
  std::string complaint;
  const auto told = [&] {
    heard = {.keys = listener.keys(), .by = HeardBy::console};
    if (heard.keys.empty())
      heard = {.keys = told_by_agent(ctx, domain, instance_of(domain), complaint), .by = HeardBy::agent};
    if (heard.keys.empty() && before) heard = *before;
    return !heard.keys.empty();
  };
  if (!vm::wait_until(ctx, base::Clock::now() + patience, told))
    throw Error(Code::timeout, "'" + domain.name() + "' told its host key nowhere within " +
                                   base::format_duration(patience) + ": " + listener.complaint() + "; " + complaint);
  if (heard.by == HeardBy::agent || heard.by == HeardBy::console)
    virt::put_metadata_part(domain, note_of_keys(domain.uuid(), heard));
  return heard;
}

std::optional<HostKeysHeard> known_keys(const base::Context& ctx, const virt::Connection& connection,
                                        const virt::Domain& domain, const DiskReach& reach) {
  std::string complaint;
  HostKeysHeard heard;
  // Written there before it ran: to look again takes seconds, and minutes of a fleet.
  const auto before = noted(domain);
  if (!domain.active() && before && before->by != HeardBy::metadata) return before;
  if (domain.active())
    heard = {.keys = told_by_agent(ctx, domain, instance_of(domain), complaint), .by = HeardBy::agent};
  else
    heard = {.keys = read_on_disk(ctx, connection, domain, reach), .by = HeardBy::disk};
  return heard.keys.empty() ? before : heard;
}

}  // namespace muster::clone
