#include "inventory/host_pattern.h"

#include <algorithm>
#include <optional>
#include <regex>

#include "base/error.h"
#include "inventory/close_names.h"
#include "inventory/glob.h"
#include "inventory/host_name.h"
#include "inventory/host_range.h"
#include "inventory/name_folding.h"
#include "inventory/pattern_terms.h"

namespace muster::inventory {
namespace {

using base::Code;
using base::Error;
using Hosts = std::vector<HostIndex>;

// A set of hosts that keeps the order of joining.
class OrderedHosts {
 public:
  explicit OrderedHosts(std::size_t hosts) : member_(hosts) {}
  bool contains(HostIndex host) const { return member_[host]; }
  const Hosts& hosts() const { return order_; }
  void add(const Hosts& more) {
    for (const HostIndex host : more) {
      if (!member_[host]) order_.push_back(host);
      member_[host] = true;
    }
  }
  template <typename Keep>
  void keep_if(Keep keep) {
    std::erase_if(order_, [&](HostIndex host) {
      if (!keep(host)) member_[host] = false;
      return !member_[host];
    });
  }

 private:
  std::vector<bool> member_;
  Hosts order_;
};

class Evaluator {
 public:
  Evaluator(const base::Context& ctx, const Inventory& inventory)
      : ctx_(ctx),
        inventory_(inventory),
        strict_(inventory.dialect() == Dialect::ansible_strict),
        implicit_(static_cast<HostIndex>(inventory.host_count())) {}

  OrderedHosts evaluate(std::vector<Term> terms) const;
  // Stands for the localhost that is not in the inventory: one index behind the last.
  HostIndex implicit() const { return implicit_; }

 private:
  void apply(OrderedHosts& hosts, const Term& term) const;
  Hosts match(const Term& term) const;
  Hosts match_range(const Term& term, std::string_view base) const;
  Hosts match_names(std::string_view pattern, bool& matched_group) const;
  Hosts match_regex(const Term& term, std::string_view expression, bool& matched_group) const;
  std::optional<HostIndex> localhost(std::string_view name) const;
  Hosts subscripted(const Term& term, const Hosts& hosts, const Subscript& subscript) const;
  void unmatched(const Term& term, std::string_view name) const;

  const base::Context& ctx_;
  const Inventory& inventory_;
  bool strict_;
  HostIndex implicit_;
};

OrderedHosts Evaluator::evaluate(std::vector<Term> terms) const {
  std::stable_sort(terms.begin(), terms.end(), [](const Term& a, const Term& b) { return a.op < b.op; });
  if (terms.empty() || terms.front().op != Operator::unite)
    terms.insert(terms.begin(), {.op = Operator::unite, .text = "all", .where = ""});
  OrderedHosts hosts(inventory_.host_count() + 1);
  for (const auto& term : terms) {
    ctx_.check_stop();
    apply(hosts, term);
  }
  return hosts;
}

void Evaluator::apply(OrderedHosts& hosts, const Term& term) const {
  const Hosts matched = match(term);
  if (term.op == Operator::unite) return hosts.add(matched);
  OrderedHosts set(inventory_.host_count() + 1);
  set.add(matched);
  if (term.op == Operator::intersect) return hosts.keep_if([&](HostIndex h) { return set.contains(h); });
  const OrderedHosts before = hosts;
  hosts.keep_if([&](HostIndex h) { return !set.contains(h); });
  if (term.op == Operator::exclude) return;
  set.keep_if([&](HostIndex h) { return !before.contains(h); });
  hosts.add(set.hosts());
}

Hosts Evaluator::match(const Term& term) const {
  // A plain term that is a host's name is that host, also where a group has the name.
  if (const auto host = inventory_.find_host(term.text); host && term.op == Operator::unite) return {*host};
  if (const auto base = strict_ ? std::nullopt : range_base(term.text)) return match_range(term, *base);
  bool matched_group = false;
  if (term.text.starts_with('~')) {
    Hosts hosts = match_regex(term, term.text.substr(1), matched_group);
    if (hosts.empty() && !matched_group) unmatched(term, "");
    return hosts;
  }
  const Subscripted parts = split_subscript(term.text);
  Hosts hosts = match_names(parts.base, matched_group);
  if (hosts.empty() && !matched_group) {
    if (const auto local = localhost(parts.base))
      hosts.push_back(*local);
    else if (parts.base != "all")
      unmatched(term, parts.base);
  }
  return parts.subscript ? subscripted(term, hosts, *parts.subscript) : hosts;
}

// Duplicates stay in, as Ansible's subscripts count them.
Hosts Evaluator::match_names(std::string_view pattern, bool& matched_group) const {
  Hosts found;
  const auto add_group = [&](GroupIndex group) {
    const Hosts hosts = inventory_.hosts_of(group);
    found.insert(found.end(), hosts.begin(), hosts.end());
    matched_group = true;
  };
  const bool glob = is_glob(pattern);
  if (!glob) {
    if (const auto group = inventory_.find_group(pattern)) add_group(*group);
  } else {
    for (GroupIndex group = 0; group < inventory_.groups().size(); ++group)
      if (glob_matches(pattern, inventory_.groups()[group].name)) add_group(group);
  }
  if (matched_group && pattern.find_first_of(".?*[") == std::string_view::npos) return found;
  if (!glob) {
    if (const auto host = inventory_.find_host(pattern)) found.push_back(*host);
    return found;
  }
  for (HostIndex host = 0; host < inventory_.host_count(); ++host)
    if (glob_matches(pattern, inventory_.host_name(host))) found.push_back(host);
  return found;
}

// Anchored at the front only, as Python's re.match.
Hosts Evaluator::match_regex(const Term& term, std::string_view expression, bool& matched_group) const {
  Hosts found;
  try {
    // Time that grows with the name's length and not with its power: `(a*)*b` and the like would never end. There are
    // no back references then, which is an error of the expression.
    const std::regex regex(expression.begin(), expression.end(),
                           std::regex::ECMAScript | std::regex_constants::__polynomial);
    const auto matches = [&](const std::string& name) {
      return std::regex_search(name, regex, std::regex_constants::match_continuous);
    };
    for (GroupIndex group = 0; group < inventory_.groups().size(); ++group) {
      if (!matches(inventory_.groups()[group].name)) continue;
      matched_group = true;
      const Hosts hosts = inventory_.hosts_of(group);
      found.insert(found.end(), hosts.begin(), hosts.end());
    }
    for (HostIndex host = 0; host < inventory_.host_count(); ++host)
      if (matches(inventory_.host_name(host))) found.push_back(host);
  } catch (const std::regex_error&) {
    throw Error(Code::usage,
                term.where + "'" + term.text +
                    "' is no regular expression; write one as ECMAScript has it after '~', e.g. '~web\\d+'");
  }
  return found;
}

std::optional<HostIndex> Evaluator::localhost(std::string_view name) const {
  if (!names_localhost(name)) return std::nullopt;
  // Of several names for this machine in the inventory the first is meant by all of them.
  std::optional<HostIndex> first;
  for (const char* known : {"localhost", "127.0.0.1", "::1"})
    if (const auto host = inventory_.find_host(known); host && (!first || *host < *first)) first = host;
  return first ? *first : implicit_;
}

Hosts Evaluator::match_range(const Term& term, std::string_view base) const {
  if (inventory_.find_group(base))
    ctx_.note(term.where + "'" + term.text + "' is read as a range of host names, not as a part of group '" +
              std::string(base) + "'; write '" + std::string(base) + "[0:2]' for its first three hosts");
  Hosts found;
  std::vector<std::string> missing;
  bool matched_group = false;
  for (const auto& name : expand_ranges(term.text, RangeSyntax::both)) {
    const Hosts hosts = match_names(name, matched_group);
    found.insert(found.end(), hosts.begin(), hosts.end());
    if (hosts.empty() && !is_glob(name)) missing.push_back(name);
  }
  if (found.empty())
    unmatched(term, base);
  else if (!missing.empty())
    ctx_.warn(term.where + "'" + term.text + "': not in the inventory: " + fold_names(missing));
  return found;
}

Hosts Evaluator::subscripted(const Term& term, const Hosts& hosts, const Subscript& subscript) const {
  if (hosts.empty()) return hosts;
  const auto count = static_cast<std::int64_t>(hosts.size());
  if (subscript.dashed)
    ctx_.warn(term.where + "'" + term.text + "' is read as a subscript; write [a:b], both included");
  const std::int64_t last = subscript.to_end ? count - 1 : subscript.last.value_or(0);
  // Ansible takes an end of 0 for none: `[3:0]` is `[3]`.
  if (!subscript.to_end && (!subscript.last || (last == 0 && strict_))) {
    const std::int64_t index = subscript.first < 0 ? subscript.first + count : subscript.first;
    if (index < 0 || index >= count)
      throw Error(Code::usage, term.where + "no host matches the subscript of '" + term.text + "': only " +
                                   std::to_string(count) + " are there; count from 0, or from the end with [-1]");
    return {hosts[static_cast<std::size_t>(index)]};
  }
  const std::int64_t end = std::min(last, count - 1);
  if (subscript.first <= end) return {hosts.begin() + subscript.first, hosts.begin() + end + 1};
  if (!strict_)
    throw Error(Code::usage, term.where + "no host matches the subscript of '" + term.text + "': of " +
                                 std::to_string(count) + " hosts the last is [" + std::to_string(count - 1) + "]");
  return {};
}

void Evaluator::unmatched(const Term& term, std::string_view name) const {
  const std::string text = term.where + "no host or group matches '" + term.text + "'";
  if (strict_) return ctx_.warn(text);
  CloseNames close(name);
  for (const auto& group : inventory_.groups()) close.consider(group.name);
  for (HostIndex host = 0; host < inventory_.host_count(); ++host) close.consider(inventory_.host_name(host));
  std::string fix = close.suggestion();
  if (term.text.find(':') != std::string::npos && fix.empty())
    fix = "; ':' separates only where no comma does: write commas throughout";
  if (fix.empty()) fix = "; 'muster inventory list --graph' shows what there is";
  throw Error(Code::usage, text + fix);
}

void refuse_empty(const std::vector<Term>& terms, std::string_view text, const char* what, Dialect dialect) {
  if (!terms.empty() || dialect == Dialect::ansible_strict) return;
  throw Error(Code::usage, std::string(what) + " '" + std::string(text) +
                               "' names nothing; name hosts or groups, or 'all' for every host");
}

}  // namespace

Selection select(const base::Context& ctx, const Inventory& inventory, std::string_view pattern,
                 std::string_view limit) {
  const Dialect dialect = inventory.dialect();
  const Evaluator evaluator(ctx, inventory);
  const bool strict = dialect == Dialect::ansible_strict;
  std::vector<Term> terms = terms_of(pattern, dialect, strict ? AtFiles::are_names : AtFiles::are_read);
  refuse_empty(terms, pattern, "pattern", dialect);
  OrderedHosts hosts = evaluator.evaluate(std::move(terms));
  if (!limit.empty()) {
    std::vector<Term> limits = terms_of(limit, dialect, AtFiles::are_read);
    refuse_empty(limits, limit, "limit", dialect);
    const OrderedHosts allowed = evaluator.evaluate(std::move(limits));
    hosts.keep_if([&](HostIndex host) { return allowed.contains(host); });
  }
  Selection selection{.hosts = hosts.hosts(), .implicit_localhost = hosts.contains(evaluator.implicit())};
  std::erase(selection.hosts, evaluator.implicit());
  if (!strict && selection.hosts.empty() && !selection.implicit_localhost)
    throw Error(Code::usage, "no host is left of pattern '" + std::string(pattern) + "'" +
                                 (limit.empty() ? "" : " and limit '" + std::string(limit) + "'") +
                                 "; 'muster inventory list PATTERN' shows what a pattern matches");
  return selection;
}

}  // namespace muster::inventory
