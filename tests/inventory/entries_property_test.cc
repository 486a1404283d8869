// Random inventories, edited: what is not about the hosts in question stays, byte for byte and as it is read.
#include <algorithm>
#include <map>
#include <random>
#include <set>

#include <gtest/gtest.h>

#include "inventory/entries.h"
#include "tests/inventory/support.h"

namespace muster::inventory {
namespace {

using Random = std::mt19937;

#ifdef MUSTER_SANITIZED
constexpr int kRounds = 100;
#else
constexpr int kRounds = 400;
#endif

bool one_in(Random& random, unsigned n) { return random() % n == 0; }

template <typename T>
const T& any_of(Random& random, const std::vector<T>& values) {
  return values[random() % values.size()];
}

const std::vector<std::string> kValues = {"x",   "192.0.2.1", "yes",    "1e3",  "",   "a: b",
                                          "@x",  "c #d",      "\u00fc", "0x1f", "'",  "\"",
                                          "a,b", "[",         "{",      "a\tb", "\n", "ssh-ed25519 AA me"};
const std::vector<std::string> kWritten = {"x", "'y'", "\"z\"", "5", "", "~", "[1, 2]", "{k: v}", "x  # c", "{}"};

// Writes inventories of up to five groups, whose hosts and variables have few names, so that requests meet them.
class Writer {
 public:
  Writer(Random& random, bool wild) : random_(random), wild_(wild), step_(1 + random() % 4) {}

  std::string write() {
    if (one_in(random_, 4)) text_ += "# fleet\n";
    if (one_in(random_, 4)) text_ += "---\n";
    for (auto groups = 1 + random_() % 3; groups-- > 0;) group(0);
    if (one_in(random_, 4)) text_.pop_back();
    return one_in(random_, 3) ? with_carriage_returns() : text_;
  }

 private:
  std::string with_carriage_returns() const {
    std::string text;
    for (const char c : text_) text += c == '\n' ? std::string("\r\n") : std::string(1, c);
    return text;
  }
  void line(std::size_t level, const std::string& what) {
    if (one_in(random_, 12)) text_ += "\n";
    if (one_in(random_, 8)) text_ += std::string(level * step_, ' ') + "# " + what + "\n";
    text_ += std::string(level * step_, ' ') + what + (one_in(random_, 10) ? "  # " + what : "") + "\n";
  }
  std::string variables_in_brackets() {
    std::string text;
    for (auto count = random_() % 3, i = count; i-- > 0;)
      text += (text.empty() ? "" : ", ") + ("v" + std::to_string(i)) + ": " +
              any_of<std::string>(random_, {"x", "'y'", "[1]", ""});
    return "{" + text + (one_in(random_, 2) ? " }" : "}");
  }
  void host(std::size_t level, std::string name) {
    if (wild_ && one_in(random_, 10)) name += "[1:3]";
    std::string key = name + ":";
    if (wild_ && one_in(random_, 6))
      key += " &a" + std::to_string(anchors_++);
    else if (wild_ && anchors_ > 0 && one_in(random_, 4))
      return line(level, name + ": *a" + std::to_string(random_() % anchors_));
    if (one_in(random_, 4))
      return line(level, key + (one_in(random_, 2) ? "" : " " + any_of<std::string>(random_, {"{}", "~", "null"})));
    if (one_in(random_, 4)) return line(level, key + " " + variables_in_brackets());
    line(level, key);
    if (wild_ && anchors_ > 1 && one_in(random_, 4)) line(level + 1, "<<: *a0");
    for (auto i = random_() % 4; i-- > 0;) {
      const std::string variable = "v" + std::to_string(i) + ":";
      if (one_in(random_, 6))
        text_ += std::string((level + 1) * step_, ' ') + variable + " |\n" + std::string((level + 2) * step_, ' ') +
                 "# text\n\n";
      else if (one_in(random_, 6)) {
        line(level + 1, variable);
        for (auto items = 1 + random_() % 3; items-- > 0;) line(level + 2, "- i" + std::to_string(items));
      } else
        line(level + 1, variable + " " + any_of(random_, kWritten));
    }
  }
  void hosts(std::size_t level) {
    if (one_in(random_, 5)) return line(level, "hosts:");
    if (one_in(random_, 5)) return line(level, "hosts: {h1: " + variables_in_brackets() + ", h2: , h3: {}}");
    line(level, "hosts:");
    for (const char* name : {"h1", "h2", "h3", "h4"})
      if (!one_in(random_, 3)) host(level + 1, name);
    if (text_.ends_with("hosts:\n")) host(level + 1, "h5");
  }
  void group(std::size_t level) {
    if (next_group_ == 6) return;
    line(level, "g" + std::to_string(next_group_++) + ":");
    if (one_in(random_, 3)) {
      line(level + 1, "vars:");
      line(level + 2, "w1: " + any_of(random_, kWritten));
    }
    if (!one_in(random_, 6)) hosts(level + 1);
    if (one_in(random_, 2) && level < 6) {
      line(level + 1, "children:");
      group(level + 2);
    }
  }

  Random& random_;
  bool wild_;
  std::size_t step_;
  std::string text_;
  unsigned anchors_ = 0;
  int next_group_ = 1;
};

EntryValue random_value(Random& random) {
  if (one_in(random, 4)) return std::int64_t{static_cast<std::int64_t>(random() % 100) - 50};
  if (!one_in(random, 4)) return any_of(random, kValues);
  std::vector<std::string> items;
  for (auto count = random() % 4; count-- > 0;) items.push_back(any_of(random, kValues));
  return items;
}

std::vector<HostEntry> random_entries(Random& random, const std::string& host_letter) {
  std::vector<HostEntry> entries;
  for (auto count = 1 + random() % 4; count-- > 0;) {
    HostEntry entry{.name = host_letter + std::to_string(1 + random() % 6), .group = {}, .variables = {}};
    if (!one_in(random, 5)) entry.group = "g" + std::to_string(1 + random() % 6);
    for (auto variables = random() % 3; variables-- > 0;)
      entry.variables.push_back({"v" + std::to_string(random() % 4), random_value(random)});
    entries.push_back(std::move(entry));
  }
  return entries;
}

// What a value is, as one line that two equal values share.
std::string shown(const yaml::Node& node) {
  std::string text = node.is_scalar() ? (node.plain ? "plain " : "quoted ") + node.text : node.is_mapping() ? "{" : "[";
  for (const auto& item : node.items) text += shown(item) + ", ";
  for (const auto& [key, value] : node.entries) text += key.text + ": " + shown(value) + ", ";
  return text;
}

bool is(const yaml::Node& node, const EntryValue& value) {
  if (const auto* text = std::get_if<std::string>(&value)) {
    const auto scalar = node.is_scalar() ? yaml::resolve(node, yaml::Schema::core_1_2) : yaml::Scalar();
    return std::holds_alternative<std::string>(scalar) && std::get<std::string>(scalar) == *text;
  }
  if (const auto* integer = std::get_if<std::int64_t>(&value))
    return node.is_scalar() && node.text == std::to_string(*integer);
  const auto& items = std::get<std::vector<std::string>>(value);
  return node.is_sequence() && std::equal(items.begin(), items.end(), node.items.begin(), node.items.end(),
                                          [](const auto& text, const auto& item) { return is(item, text); });
}

struct Reading {
  std::map<std::string, std::set<std::string>> groups;                        // of each host, direct ones
  std::map<std::string, std::map<std::string, const yaml::Node*>> variables;  // of each host
};

Reading reading_of(const Inventory& inventory) {
  Reading reading;
  for (HostIndex host = 0; host < inventory.host_count(); ++host) {
    const std::string& name = inventory.host_name(host);
    reading.groups[name];
    for (const auto& [variable, value] : inventory.variables(host))
      if (variable[0] == 'v') reading.variables[name][variable] = value.value;
  }
  for (const auto& group : inventory.groups())
    for (const HostIndex host : group.hosts)
      if (group.name != "ungrouped") reading.groups[inventory.host_name(host)].insert(group.name);
  return reading;
}

// `after` is `before` and what was asked for.
void expect_change(const Inventory& before, const Inventory& after, const std::vector<HostEntry>& entries) {
  const Reading old = reading_of(before);
  const Reading now = reading_of(after);
  auto groups = old.groups;
  std::map<std::string, std::map<std::string, EntryValue>> wanted;
  for (const auto& entry : entries) {
    const bool nowhere = !groups.contains(entry.name);
    if (!entry.group.empty()) groups[entry.name].insert(entry.group);
    const bool elsewhere = std::any_of(entries.begin(), entries.end(), [&](const HostEntry& other) {
      return other.name == entry.name && !other.group.empty();
    });
    if (nowhere && entry.group.empty() && !elsewhere) groups[entry.name].insert("all");
    for (const auto& variable : entry.variables) wanted[entry.name].insert_or_assign(variable.name, variable.value);
  }
  EXPECT_EQ(now.groups, groups);
  for (const auto& [host, variables] : now.variables)
    for (const auto& [name, value] : variables) {
      const auto asked = wanted[host].find(name);
      if (asked != wanted[host].end())
        EXPECT_TRUE(is(*value, asked->second)) << host << " " << name << " " << shown(*value);
      else
        EXPECT_EQ(shown(*value), shown(*old.variables.at(host).at(name))) << host << " " << name;
    }
  for (const auto& [host, variables] : wanted)
    for (const auto& [name, value] : variables)
      EXPECT_TRUE(now.variables.at(host).contains(name)) << host << " " << name;
  for (const auto& [host, variables] : old.variables)
    for (const auto& [name, value] : variables)
      EXPECT_TRUE(now.variables.at(host).contains(name)) << host << " " << name;
}

// Whether `after` is `before` with one piece put in.
bool is_one_insertion(const std::string& before, const std::string& after) {
  if (after.size() < before.size()) return false;
  const auto same_front = std::mismatch(before.begin(), before.end(), after.begin()).first - before.begin();
  const auto same_back = std::mismatch(before.rbegin(), before.rend(), after.rbegin()).first - before.rbegin();
  return same_front + same_back >= static_cast<std::ptrdiff_t>(before.size());
}

class Entries : public testing::Test {
 protected:
  Random random_{20261129};
};

TEST_F(Entries, OrdinaryFilesTakeAnyHost) {
  int taken = 0;
  for (int round = 0; round < kRounds; ++round) {
    const std::string text = Writer(random_, false).write();
    const auto entries = random_entries(random_, "h");
    SCOPED_TRACE(text);
    std::string after;
    const std::string error = usage_error([&] { after = with_hosts(text, "i.yaml", entries); });
    if (error.find("has comments in it") != std::string::npos) continue;
    ASSERT_EQ(error, "no error");
    ++taken;
    expect_change(from_text(text), from_text(after), entries);
    EXPECT_EQ(with_hosts(after, "i.yaml", entries), after);
    if (HasFailure()) FAIL() << "became\n" << after;
  }
  EXPECT_GT(taken, kRounds * 9 / 10);
}

TEST_F(Entries, NewHostsAreOneInsertionAndGoAgain) {
  for (int round = 0; round < kRounds; ++round) {
    const std::string text = Writer(random_, false).write();
    std::vector<HostEntry> entries = random_entries(random_, "n");
    std::vector<std::string> names;
    for (auto& entry : entries) {
      names.push_back(entry.name);
      entry.group = "g1";
    }
    const bool has_hosts = !from_text(text).groups()[from_text(text).find_group("g1").value()].hosts.empty();
    SCOPED_TRACE(text);
    const std::string after = with_hosts(text, "i.yaml", entries);
    EXPECT_TRUE(is_one_insertion(text, after));
    EXPECT_EQ(std::count(text.begin(), text.end(), '\r') == 0, std::count(after.begin(), after.end(), '\r') == 0);
    const std::string again = without_hosts(after, "i.yaml", names);
    if (has_hosts) {
      EXPECT_EQ(again, text);
    }
    if (HasFailure()) FAIL() << "became\n" << after << "and then\n" << again;
  }
}

TEST_F(Entries, WildFilesTakeAHostOrAreLeftAlone) {
  int taken = 0;
  for (int round = 0; round < 2 * kRounds; ++round) {
    const std::string text = Writer(random_, true).write();
    const auto entries = random_entries(random_, "h");
    if (usage_error([&] { from_text(text); }) != "no error") continue;
    SCOPED_TRACE(text);
    std::string after;
    if (usage_error([&] { after = with_hosts(text, "i.yaml", entries); }) != "no error") continue;
    ++taken;
    expect_change(from_text(text), from_text(after), entries);
    EXPECT_EQ(with_hosts(after, "i.yaml", entries), after);
    if (HasFailure()) FAIL() << "became\n" << after;
  }
  EXPECT_GT(taken, kRounds / 2);
}

TEST_F(Entries, RemovedHostsAreGoneAndTheOthersAsBefore) {
  int removed = 0;
  for (int round = 0; round < 2 * kRounds; ++round) {
    const std::string text = Writer(random_, one_in(random_, 2)).write();
    if (usage_error([&] { from_text(text); }) != "no error") continue;
    const std::vector<std::string> names{"h" + std::to_string(1 + random_() % 5),
                                         "h" + std::to_string(1 + random_() % 5)};
    SCOPED_TRACE(text);
    std::string after;
    if (usage_error([&] { after = without_hosts(text, "i.yaml", names); }) != "no error") continue;
    ++removed;
    Reading old = reading_of(from_text(text));
    const Inventory now = from_text(after);
    for (const auto& name : names) {
      EXPECT_FALSE(now.find_host(name));
      old.groups.erase(name);
    }
    EXPECT_EQ(reading_of(now).groups, old.groups);
    EXPECT_EQ(without_hosts(after, "i.yaml", names), after);
    if (HasFailure()) FAIL() << "became\n" << after;
  }
  EXPECT_GT(removed, kRounds / 2);
}

}  // namespace
}  // namespace muster::inventory
