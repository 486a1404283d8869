// Holds loading and matching against Ansible itself, on the inventories of tests/data/inventory and on generated ones.
// A start of Ansible costs a second, so one process answers for all but the few that run the programs as users do.
#include <algorithm>
#include <functional>
#include <random>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <poll.h>

#include "base/child_process.h"
#include "base/unique_fd.h"
#include "inventory/ansible_json.h"
#include "inventory/host_pattern.h"
#include "inventory/inventory.h"
#include "tests/inventory/support.h"

namespace muster::inventory {
namespace {

using nlohmann::json;
using Strings = std::vector<std::string>;
using Random = std::mt19937;

const std::string kData = std::string(MUSTER_SOURCE_DIR) + "/tests/data/inventory/";

// Debian's own interpreter: another one in PATH would not see the packaged module. Each line of input is
// {"sources": [...], "patterns": [[pattern, limit], ...]}, each line of output {"list": {...}, "matches": [[...], ...]}
// with null for a pattern that is an error.
constexpr const char* kAnswer = R"(
import json, os, sys, tempfile
from ansible.cli.inventory import InventoryCLI
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
def listed(sources):
    with tempfile.NamedTemporaryFile() as output:
        arguments = ['ansible-inventory', '--list', '--output', output.name]
        for source in sources:
            arguments += ['-i', source]
        try:
            InventoryCLI(arguments).run()
        except SystemExit:
            pass
        return json.load(open(output.name))
def matched(sources, pattern, limit):
    try:
        manager = managers.setdefault(tuple(sources), InventoryManager(loader=DataLoader(), sources=sources))
        manager.subset(limit or None)
        return [host.name for host in manager.get_hosts(pattern)]
    except Exception:
        return None
managers = {}
for line in sys.stdin.read().splitlines():
    # A child for each question: Ansible's options are a singleton.
    child = os.fork()
    if child == 0:
        question = json.loads(line)
        sources = question['sources']
        print(json.dumps({'list': listed(sources),
                          'matches': [matched(sources, *pair) for pair in question['patterns']]}), flush=True)
        os._exit(0)
    os.waitpid(child, 0)
)";

// Standard error is dropped: Ansible warns at length, and nobody would empty the pipe.
std::string output_of(Strings argv, const std::string& input) {
  argv.insert(argv.begin(), {"/bin/sh", "-c", "exec 2>/dev/null; exec \"$@\"", "sh"});
  base::ChildProcess child(argv, {.environment = {"ANSIBLE_CONFIG=" + kData + "ansible.cfg", "LC_ALL=C.UTF-8"}});
  base::write_all(child.standard_input().get(), input);
  child.standard_input().reset();
  std::string answer;
  std::vector<char> piece(65536);
  for (;;) {
    pollfd p{.fd = child.standard_output().get(), .events = POLLIN, .revents = 0};
    if (::poll(&p, 1, 60'000) <= 0) return "no answer in time";
    const ssize_t n = ::read(child.standard_output().get(), piece.data(), piece.size());
    if (n == 0) return answer;
    if (n > 0) answer.append(piece.data(), static_cast<std::size_t>(n));
  }
}

struct Question {
  Strings sources;
  std::vector<std::pair<std::string, std::string>> patterns = {};
  bool order_is_fixed = true;  // Ansible leaves the order of grandchildren open
};

std::vector<json> ask_ansible(const std::vector<Question>& questions) {
  std::string input;
  for (const auto& question : questions)
    input += json{{"sources", question.sources}, {"patterns", question.patterns}}.dump() + "\n";
  std::istringstream lines(output_of({"/usr/bin/python3", "-c", kAnswer}, input));
  std::vector<json> answers;
  for (std::string line; std::getline(lines, line);) answers.push_back(json::parse(line));
  return answers;
}

bool have_ansible() {
  return output_of({"ansible-inventory", "--version"}, "").find("ansible-inventory") != std::string::npos;
}

Strings selected(const Inventory& inventory, const std::pair<std::string, std::string>& pattern) {
  const Selection selection = select(base::Context(), inventory, pattern.first, pattern.second);
  Strings names = names_of(inventory, selection.hosts);
  if (selection.implicit_localhost) names.push_back("localhost");
  return names;
}

void compare_match(const Question& question, const Inventory& inventory,
                   const std::pair<std::string, std::string>& pattern, const json& expected) {
  SCOPED_TRACE(question.sources[0] + ": pattern " + pattern.first + " limit " + pattern.second);
  Strings ours;
  const std::string error = usage_error([&] { ours = selected(inventory, pattern); });
  if (expected.is_null()) {
    EXPECT_NE(error, "no error");
    return;
  }
  auto theirs = expected.get<Strings>();
  // Outside of ansible_strict what matches nothing is an error; Ansible warns, and goes on without the term.
  if (error.starts_with("no host") && inventory.dialect() == Dialect::muster) return;
  EXPECT_EQ(error, "no error");
  if (!question.order_is_fixed) {
    std::sort(ours.begin(), ours.end());
    std::sort(theirs.begin(), theirs.end());
  }
  EXPECT_EQ(ours, theirs);
}

void compare(const Question& question, const json& answer, Dialect dialect) {
  const Inventory inventory = load(base::Context(), question.sources, {.dialect = dialect});
  const json ours = json::parse(ansible_json(inventory));
  EXPECT_TRUE(ours == answer["list"]) << question.sources[0] << "\n" << json::diff(answer["list"], ours).dump(1);
  for (std::size_t i = 0; i < question.patterns.size(); ++i)
    compare_match(question, inventory, question.patterns[i], answer["matches"][i]);
}

class Generator {
 public:
  explicit Generator(unsigned seed) : random_(seed) {}

  std::string inventory(bool nested);
  std::string vars_file() { return variables("", 3); }
  std::string pattern();
  std::string group() { return "g" + std::to_string(number(0, 7)); }
  std::string host() { return "h" + std::to_string(number(0, 15)); }

 private:
  int number(int low, int high) { return std::uniform_int_distribution<int>(low, high)(random_); }
  bool chance(int percent) { return number(1, 100) <= percent; }
  std::string value();
  std::string variables(const std::string& indent, int most);
  std::string group_body(const std::string& indent);
  std::string host_key();
  std::string term();

  Random random_;
};

// Only scalars that YAML 1.1 and 1.2 read the same.
std::string Generator::value() {
  static const Strings kValues = {"1",   "'1'",    "text",           "\"a b\"", "~", "true",
                                  "1.5", "[a, 2]", "{k: v, n: [x]}", "''",      "-3"};
  return kValues[static_cast<std::size_t>(number(0, static_cast<int>(kValues.size()) - 1))];
}

std::string Generator::variables(const std::string& indent, int most) {
  std::string text;
  for (const char name : {'a', 'b', 'c', 'd', 'e'})
    if (most > 0 && chance(50)) text += indent + "v_" + name + ": " + value() + "\n";
  return text.empty() ? indent + "v_z: 0\n" : text;
}

std::string Generator::host_key() {
  if (chance(15)) return "h[" + std::to_string(number(0, 5)) + ":" + std::to_string(number(6, 12)) + "]";
  if (chance(10)) return host() + ":" + std::to_string(number(1000, 9000));
  return host();
}

std::string Generator::group_body(const std::string& indent) {
  std::string text;
  if (chance(50)) text += indent + "vars:\n" + variables(indent + "  ", 3);
  if (chance(20))
    text += (text.empty() ? indent + "vars:\n" : "") + indent +
            "  ansible_group_priority: " + std::to_string(number(0, 5)) + "\n";
  std::map<std::string, std::string> hosts;
  for (int i = number(0, 4); i > 0; --i) hosts[host_key()] = chance(40) ? "\n" + variables(indent + "    ", 2) : "\n";
  if (!hosts.empty()) text += indent + "hosts:\n";
  for (const auto& [key, variables] : hosts) text += indent + "  " + key + ":" + variables;
  return text;
}

// Children always have higher numbers, so that there are no cycles.
std::string Generator::inventory(bool nested) {
  std::string text = "all:\n  hosts:\n    h0:\n" + (chance(60) ? "  vars:\n" + variables("    ", 3) : "");
  for (int group = 0; group < 8; ++group) {
    std::string body = group_body("  ");
    std::map<int, std::string> children;
    for (int i = nested ? number(0, 2) : 0; i > 0 && group < 7; --i)
      children[number(group + 1, 7)] = chance(30) ? "\n" + group_body("      ") : "\n";
    if (!children.empty()) body += "  children:\n";
    for (const auto& [child, inside] : children) body += "    g" + std::to_string(child) + ":" + inside;
    text += "g" + std::to_string(group) + ":\n" + body;
  }
  return text;
}

std::string Generator::term() {
  switch (number(0, 9)) {
    case 0:
      return "h*";
    case 1:
      return "g[0-3" + std::string(chance(50) ? "]" : "a]");
    case 2:
      return "~h\\d$";
    case 3:
      return group() + "[" + std::to_string(number(-2, 2)) + "]";
    case 4:
      return group() + "[0:" + std::to_string(number(0, 3)) + "]";
    case 5:
      return "all";
    case 6:
      return "h?";
    case 7:
      return host();
    default:
      return group();
  }
}

std::string Generator::pattern() {
  const std::string separator = chance(50) ? "," : ":";
  std::string text = term();
  for (int i = number(0, 3); i > 0; --i) {
    static const Strings kOperators = {"", "&", "!"};
    text += separator + kOperators[static_cast<std::size_t>(number(0, 2))] + term();
  }
  return text;
}

class AnsibleDifferential : public testing::Test {
 protected:
  void SetUp() override {
    if (!have_ansible()) GTEST_SKIP() << "ansible-core is not installed";
  }
};

TEST_F(AnsibleDifferential, HandMadeInventoriesAreReadAlikeInBothDialects) {
  const std::vector<std::pair<std::string, std::string>> patterns = {{"all", ""},
                                                                     {"web:&prod:!web03", ""},
                                                                     {"web,db", ""},
                                                                     {"prod:!web", ""},
                                                                     {"*.example.org", ""},
                                                                     {"~db\\d+", ""},
                                                                     {"web[0]", ""},
                                                                     {"web[-1]", ""},
                                                                     {"web[1:2]", ""},
                                                                     {"web[1:]", ""},
                                                                     {"ungrouped", ""},
                                                                     {"web", "db"},
                                                                     {"all", "!web"},
                                                                     {"&prod", ""},
                                                                     {"w*", ""},
                                                                     {"web0[12]", ""},
                                                                     {"web[99]", ""},
                                                                     {"localhost", ""},
                                                                     {"web:localhost", ""},
                                                                     {"fe80::2", ""},
                                                                     {"web0?:!web01", ""},
                                                                     {"all[0:3]", ""},
                                                                     {"*[2]", ""},
                                                                     {"prod[5:9]", ""},
                                                                     {"all:!localhost", ""},
                                                                     {"~web.*:&prod", ""},
                                                                     {"!all", ""},
                                                                     {"db1:web01", ""},
                                                                     {"web01, db1", ""},
                                                                     {"al*", ""}};
  const std::vector<Question> questions = {
      {.sources = {kData + "fleet"}, .patterns = patterns, .order_is_fixed = false},
      {.sources = {kData + "fleet/hosts.yaml"}, .patterns = patterns, .order_is_fixed = false},
      {.sources = {kData + "merge.yaml"}},
      {.sources = {kData + "ranges.yaml"}, .patterns = {{"all", ""}}},
      {.sources = {kData + "from.json"}, .patterns = {{"all", ""}}},
      {.sources = {kData + "from.json", kData + "fleet", kData + "ranges.yaml"}},
      {.sources = {kData + "fleet", kData + "overlay/hosts.yaml"}},
      {.sources = {kData + "overlay/hosts.yaml", kData + "fleet"}},
  };
  const auto answers = ask_ansible(questions);
  ASSERT_EQ(answers.size(), questions.size());
  for (std::size_t i = 0; i < questions.size(); ++i) {
    compare(questions[i], answers[i], Dialect::ansible_strict);
    compare(questions[i], answers[i], Dialect::muster);
  }
}

TEST_F(AnsibleDifferential, QuirksAreReadAlikeUnderStrict) {
  const std::vector<Question> questions = {
      {.sources = {kData + "strict/scalars.yaml"}},
      {.sources = {kData + "strict/quirks.yaml"},
       .patterns = {{"all", ""},
                    {"nobody", ""},
                    {"web[1-2]", ""},
                    {",", ""},
                    {"web[3:0]", ""},
                    {"clash", ""},
                    {"web1,nobody", ""},
                    {"^web1", ""},
                    {"web:nobody", "web1"}},
       .order_is_fixed = false},
  };
  const auto answers = ask_ansible(questions);
  ASSERT_EQ(answers.size(), questions.size());
  for (std::size_t i = 0; i < questions.size(); ++i) compare(questions[i], answers[i], Dialect::ansible_strict);
  EXPECT_NE(usage_error([&] { load(base::Context(), {kData + "strict/quirks.yaml"}); }), "no error");
}

TEST_F(AnsibleDifferential, GeneratedInventoriesAreReadAlike) {
  constexpr unsigned kInventories = 40;
  const FileTree tree;
  std::vector<Question> questions;
  for (unsigned seed = 1; seed <= kInventories; ++seed) {
    Generator generator(seed);
    const bool nested = seed % 2 == 0;
    const std::string directory = std::to_string(seed) + "/";
    tree.add(directory + "hosts.yml", generator.inventory(nested));
    if (seed % 5 == 0) tree.add(directory + "more.yml", generator.inventory(nested));
    if (seed % 3 == 0) tree.add(directory + "group_vars/all.yml", generator.vars_file());
    if (seed % 3 == 0) tree.add(directory + "group_vars/" + generator.group(), generator.vars_file());
    if (seed % 4 == 0) tree.add(directory + "host_vars/" + generator.host() + ".yaml", generator.vars_file());
    Question question{.sources = {tree.path(std::to_string(seed))}, .order_is_fixed = !nested};
    for (int i = 0; i < 25; ++i)
      question.patterns.emplace_back(generator.pattern(), i % 5 == 0 ? generator.pattern() : "");
    questions.push_back(std::move(question));
  }
  const auto answers = ask_ansible(questions);
  ASSERT_EQ(answers.size(), questions.size());
  for (std::size_t i = 0; i < questions.size(); ++i) {
    SCOPED_TRACE("seed " + std::to_string(i + 1));
    compare(questions[i], answers[i], Dialect::ansible_strict);
  }
}

// What `ansible PATTERN --list-hosts` prints below its head line.
Strings listed_hosts(const std::string& source, const std::string& pattern, const std::string& limit) {
  Strings argv = {"ansible", "-i", source, pattern, "--list-hosts"};
  if (!limit.empty()) argv.insert(argv.end(), {"--limit", limit});
  std::istringstream lines(output_of(argv, ""));
  Strings names;
  std::string line;
  std::getline(lines, line);
  while (std::getline(lines, line)) names.push_back(line.substr(line.find_first_not_of(' ')));
  return names;
}

TEST_F(AnsibleDifferential, ProgramsAnswerAlike) {
  const std::string source = kData + "fleet/hosts.yaml";
  const Inventory inventory = load(base::Context(), {source});
  const FileTree tree;
  tree.add("limit", "web02\ndb1\n");
  EXPECT_EQ(json::parse(ansible_json(inventory)),
            json::parse(output_of({"ansible-inventory", "-i", source, "--list"}, "")));
  for (const auto& [pattern, limit] :
       {std::pair<std::string, std::string>{"web:!web03", ""}, {"db,web[0:1]", ""}, {"web", "@" + tree.path("limit")}})
    EXPECT_EQ(selected(inventory, {pattern, limit}), listed_hosts(source, pattern, limit)) << pattern;
}

}  // namespace
}  // namespace muster::inventory
