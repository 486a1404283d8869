#include "vm/set_resources.h"

#include <functional>

#include <fmt/format.h>

#include "base/error.h"
#include "base/quantity.h"
#include "vm/polling.h"

namespace muster::vm {
namespace {

using base::Code;
using base::Error;
using virt::Resources;
using virt::When;
using Setting = Applied::Setting;

constexpr std::uint64_t kMib = 1U << 20;

// CPUs and memory alike: what it has, and what it may have.
struct Kind {
  Setting setting, maximum;
  const char* what;
  std::uint64_t (*value)(const Resources&);
  std::uint64_t (*limit)(const Resources&);
  void (*set)(const virt::Domain&, std::uint64_t, When);
  void (*set_limit)(const virt::Domain&, std::uint64_t);
};

const Kind kCpus{
    .setting = Setting::cpus,
    .maximum = Setting::max_cpus,
    .what = "CPUs",
    .value = [](const Resources& r) { return std::uint64_t{r.cpus}; },
    .limit = [](const Resources& r) { return std::uint64_t{r.max_cpus}; },
    .set = [](const virt::Domain& d, std::uint64_t n, When when) { virt::set_cpus(d, static_cast<unsigned>(n), when); },
    .set_limit = [](const virt::Domain& d, std::uint64_t n) { virt::set_max_cpus(d, static_cast<unsigned>(n)); }};

const Kind kMemory{.setting = Setting::memory,
                   .maximum = Setting::max_memory,
                   .what = "memory",
                   .value = [](const Resources& r) { return r.memory_bytes; },
                   .limit = [](const Resources& r) { return r.max_memory_bytes; },
                   .set = virt::set_memory,
                   .set_limit = virt::set_max_memory};

std::string amount(const Kind& kind, std::uint64_t value) {
  if (kind.setting == Setting::cpus) return std::to_string(value);
  return value % (1ULL << 30) == 0 ? fmt::format("{}G", value >> 30) : fmt::format("{}M", value / kMib);
}

struct Wanted {
  std::optional<std::uint64_t> value, limit;
};

// All that can be wrong is found before anything is changed.
Wanted checked(const virt::Domain& domain, const Kind& kind, Wanted wanted) {
  if (wanted.value == 0U || wanted.limit == 0U)
    throw Error(Code::usage, fmt::format("{} of 0: write what the machine is to have", kind.what));
  if (kind.setting == Setting::memory && (wanted.value.value_or(0) % kMib != 0 || wanted.limit.value_or(0) % kMib != 0))
    throw Error(Code::usage, "memory has to be whole MiB: write 2G or 2048M, not bytes");
  if (wanted.value && wanted.limit && *wanted.value > *wanted.limit)
    throw Error(Code::usage,
                fmt::format("--{} {} is more than --{} {}", name_of(kind.setting), amount(kind, *wanted.value),
                            name_of(kind.maximum), amount(kind, *wanted.limit)));
  if (!domain.persistent()) {
    if (wanted.limit)
      throw Error(Code::unsupported,
                  fmt::format("'{}' is transient: it keeps its maximum of {} until it ends", domain.name(), kind.what));
    return wanted;
  }
  const Resources defined = virt::resources(domain, When::next_start);
  if (wanted.limit && !wanted.value && *wanted.limit < kind.value(defined))
    throw Error(Code::refused, fmt::format("'{}' has {} {}, more than a maximum of {}: give --{} too", domain.name(),
                                           amount(kind, kind.value(defined)), kind.what, amount(kind, *wanted.limit),
                                           name_of(kind.setting)));
  if (wanted.value && !wanted.limit && *wanted.value > kind.limit(defined)) wanted.limit = wanted.value;
  return wanted;
}

void define(const virt::Domain& domain, const Kind& kind, const Wanted& wanted) {
  const Resources before = virt::resources(domain, When::next_start);
  const auto set_value = [&] {
    if (wanted.value && *wanted.value != kind.value(before)) kind.set(domain, *wanted.value, When::next_start);
  };
  // A maximum never goes below the value, on no step of the way.
  const bool grows = wanted.limit && *wanted.limit > kind.limit(before);
  if (!grows) set_value();
  if (wanted.limit && *wanted.limit != kind.limit(before)) kind.set_limit(domain, *wanted.limit);
  if (grows) set_value();
  const Resources after = virt::resources(domain, When::next_start);
  const auto compare = [&](std::optional<std::uint64_t> asked, std::uint64_t has, Setting setting) {
    if (asked && *asked != has)
      throw Error(Code::io, fmt::format("{} of '{}' was set to {}, and the definition has {}", name_of(setting),
                                        domain.name(), amount(kind, *asked), amount(kind, has)));
  };
  compare(wanted.limit, kind.limit(after), kind.maximum);
  compare(wanted.value, kind.value(after), kind.setting);
}

// Sets the running machine's, and waits until it has it. Returns why it has not; empty: it has.
std::string set_running(const base::Context& ctx, const virt::Domain& domain, const Kind& kind, std::uint64_t wanted,
                        std::chrono::milliseconds patience) {
  const Resources before = virt::resources(domain, When::now);
  if (kind.value(before) == wanted) return "";
  if (wanted > kind.limit(before))
    return fmt::format("the running machine has at most {}", amount(kind, kind.limit(before)));
  std::string complaint;
  try {
    kind.set(domain, wanted, When::now);
  } catch (const Error& e) {
    complaint = e.what();
  }
  const auto has_it = [&] { return kind.value(virt::resources(domain, When::now)) == wanted; };
  if (wait_until(ctx, base::Clock::now() + (complaint.empty() ? patience : std::chrono::milliseconds(0)), has_it))
    return "";
  if (!complaint.empty()) return complaint;
  return fmt::format("the running machine still has {} after {}: its guest does not follow",
                     amount(kind, kind.value(virt::resources(domain, When::now))), base::format_duration(patience));
}

class Changes {
 public:
  Changes(const base::Context& ctx, const virt::Domain& domain, std::chrono::milliseconds patience)
      : ctx_(ctx), domain_(domain), patience_(patience), runs_(domain.active()), defined_(domain.persistent()) {}

  void prepare(const Kind& kind, const Wanted& wanted) {
    if (wanted.value || wanted.limit) wanted_.emplace_back(&kind, checked(domain_, kind, wanted));
  }

  std::vector<Applied> apply() {
    for (const auto& [kind, wanted] : wanted_) {
      if (defined_) define(domain_, *kind, wanted);
      if (wanted.limit) add_limit(*kind, *wanted.limit);
      if (wanted.value) add_value(*kind, *wanted.value);
    }
    return std::move(applied_);
  }

 private:
  void add_limit(const Kind& kind, std::uint64_t wanted) {
    Applied one{.setting = kind.maximum, .wanted = wanted, .next_start = defined_, .running = {}, .reason = {}};
    if (runs_) {
      one.running = kind.limit(virt::resources(domain_, When::now));
      one.now = *one.running == wanted;
      if (!one.now) one.reason = fmt::format("the running machine keeps its {}", amount(kind, *one.running));
    }
    applied_.push_back(std::move(one));
  }

  void add_value(const Kind& kind, std::uint64_t wanted) {
    Applied one{.setting = kind.setting, .wanted = wanted, .next_start = defined_, .running = {}, .reason = {}};
    if (runs_) {
      one.reason = set_running(ctx_, domain_, kind, wanted, patience_);
      one.now = one.reason.empty();
      one.running = kind.value(virt::resources(domain_, When::now));
      if (!one.now && !defined_) throw Error(Code::refused, "'" + domain_.name() + "': " + one.reason);
    }
    applied_.push_back(std::move(one));
  }

  const base::Context& ctx_;
  const virt::Domain& domain_;
  std::chrono::milliseconds patience_;
  bool runs_, defined_;
  std::vector<std::pair<const Kind*, Wanted>> wanted_;
  std::vector<Applied> applied_;
};

}  // namespace

const char* name_of(Applied::Setting setting) {
  switch (setting) {
    case Setting::cpus:
      return "cpus";
    case Setting::max_cpus:
      return "max-cpus";
    case Setting::memory:
      return "memory";
    case Setting::max_memory:
      return "max-memory";
  }
  return "";
}

std::vector<Applied> set_resources(const base::Context& ctx, const virt::Domain& domain, const ResourceChange& change,
                                   std::chrono::milliseconds guest_patience) {
  Changes changes(ctx, domain, guest_patience);
  changes.prepare(kCpus, {.value = change.cpus, .limit = change.max_cpus});
  changes.prepare(kMemory, {.value = change.memory_bytes, .limit = change.max_memory_bytes});
  return changes.apply();
}

}  // namespace muster::vm
