// Holds folding and expanding against ClusterShell itself, on generated sets: one Python process answers for all.
#include <cstdio>
#include <fstream>
#include <random>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <poll.h>
#include <unistd.h>

#include "base/child_process.h"
#include "inventory/host_range.h"
#include "inventory/name_folding.h"

namespace muster::inventory {
namespace {

using Lines = std::vector<std::string>;
using Random = std::mt19937;

// Debian's own interpreter: another one in PATH would not see the packaged module.
constexpr const char* kPython = "/usr/bin/python3";
constexpr const char* kFold = R"(
import sys
from ClusterShell.NodeSet import NodeSet
for line in sys.stdin.read().splitlines():
    print(NodeSet(','.join(line.split())))
)";
constexpr const char* kExpand = R"(
import sys
from ClusterShell.NodeSet import NodeSet
for line in sys.stdin.read().splitlines():
    try:
        print(' '.join(sorted(NodeSet(line))))
    except Exception:
        print('error')
)";

Lines split_lines(const std::string& text) {
  std::istringstream in(text);
  Lines lines;
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

// What the script prints, a line for each line of input. The scripts read everything before they print.
Lines ask(const char* script, const Lines& input) {
  base::ChildProcess child({kPython, "-c", script});
  std::string text;
  for (const auto& line : input) text += line + "\n";
  base::write_all(child.standard_input().get(), text);
  child.standard_input().reset();
  std::string answer;
  char piece[65536];
  for (;;) {
    pollfd p{.fd = child.standard_output().get(), .events = POLLIN, .revents = 0};
    if (::poll(&p, 1, 60'000) <= 0) return {"no answer in time"};
    const ssize_t n = ::read(p.fd, piece, sizeof piece);
    if (n <= 0) return split_lines(answer);
    answer.append(piece, static_cast<std::size_t>(n));
  }
}

bool has_clustershell() {
  if (::access(kPython, X_OK) != 0) return false;
  base::ChildProcess child({kPython, "-c", "import ClusterShell.NodeSet"});
  return child.wait(std::chrono::seconds(30)).code == 0;
}

class NodesetPeer : public testing::Test {
  void SetUp() override {
    if (!has_clustershell()) GTEST_SKIP() << "python3-clustershell is not installed";
  }
};

int below(Random& random, int limit) { return static_cast<int>(random() % static_cast<unsigned>(limit)); }

std::string number(Random& random, int limit, bool mixed_padding) {
  std::string digits = std::to_string(below(random, limit));
  if (mixed_padding && below(random, 3) == 0) digits.insert(0, static_cast<std::size_t>(below(random, 3)), '0');
  return digits;
}

// Names of one shape: `#` stands for a number.
void add_family(Random& random, const std::string& shape, int count, int limit, bool mixed, Lines& names) {
  const bool two_wide = !mixed && below(random, 2) == 0;
  for (int i = 0; i < count; ++i) {
    std::string name;
    for (const char c : shape) {
      if (c != '#') {
        name += c;
        continue;
      }
      std::string digits = number(random, limit, mixed);
      if (two_wide && digits.size() == 1) digits.insert(0, 1, '0');
      name += digits;
    }
    names.push_back(name);
  }
}

Lines random_names(Random& random) {
  static const Lines kShapes = {"web#",      "rack#node#",      "r#c#n#",    "10.0.#.#", "#",   "web#.dc#.example",
                                "x#-y#-z#w", "db#.example.com", "localhost", "gw-a",     "#a#", "192.168.#.#"};
  Lines names;
  for (int families = 1 + below(random, 3); families > 0; --families) {
    const auto& shape = kShapes[static_cast<std::size_t>(below(random, static_cast<int>(kShapes.size())))];
    const int limits[] = {3, 5, 12, 120};
    add_family(random, shape, 1 + below(random, 60), limits[below(random, 4)], below(random, 3) == 0, names);
  }
  return names;
}

std::string joined(const Lines& words) {
  std::string text;
  for (const auto& word : words) text += (text.empty() ? "" : " ") + word;
  return text;
}

TEST_F(NodesetPeer, FoldsGeneratedSetsAsNodesetDoes) {
  Random random(20261123);
  std::vector<Lines> sets;
  Lines input;
  for (int i = 0; i < 3000; ++i) {
    sets.push_back(random_names(random));
    input.push_back(joined(sets.back()));
  }
  const Lines theirs = ask(kFold, input);
  ASSERT_EQ(theirs.size(), sets.size());
  for (std::size_t i = 0; i < sets.size(); ++i) ASSERT_EQ(fold_names(sets[i]), theirs[i]) << input[i];
}

TEST_F(NodesetPeer, FoldsDenseBoxesWithHolesAsNodesetDoes) {
  Random random(7);
  std::vector<Lines> sets;
  Lines input;
  for (int i = 0; i < 150; ++i) {
    Lines names;
    for (int a = 0; a < 12; ++a)
      for (int b = 0; b < 12; ++b)
        for (int c = 0; c < 3; ++c)
          if (below(random, 40) > i % 12)
            names.push_back("a" + std::to_string(a) + "b" + std::to_string(b) + "c" + std::to_string(c));
    input.push_back(joined(names));
    sets.push_back(std::move(names));
  }
  const Lines theirs = ask(kFold, input);
  ASSERT_EQ(theirs.size(), sets.size());
  for (std::size_t i = 0; i < sets.size(); ++i) ASSERT_EQ(fold_names(sets[i]), theirs[i]) << input[i];
}

std::string random_range(Random& random) {
  std::string text = "[";
  for (int items = 1 + below(random, 3); items > 0; --items) {
    text += number(random, 30, true);
    if (below(random, 2) == 0) text += "-" + number(random, 60, true);
    if (below(random, 5) == 0) text += "/" + std::to_string(below(random, 4));
    if (items > 1) text += ',';
  }
  return text + "]";
}

std::string ours_expanded(const std::string& text) {
  try {
    const auto names = expand_ranges(text, RangeSyntax::both);
    const std::set<std::string> sorted(names.begin(), names.end());
    return joined(Lines(sorted.begin(), sorted.end()));
  } catch (const std::exception&) {
    return "error";
  }
}

TEST_F(NodesetPeer, ExpandsGeneratedRangesAsNodesetDoes) {
  Random random(99);
  Lines input;
  for (int i = 0; i < 3000; ++i) {
    std::string text = "n" + random_range(random);
    if (below(random, 3) == 0) text += "x" + random_range(random) + ".lan";
    input.push_back(text);
  }
  const Lines theirs = ask(kExpand, input);
  ASSERT_EQ(theirs.size(), input.size());
  std::size_t good = 0;
  for (std::size_t i = 0; i < input.size(); ++i) {
    ASSERT_EQ(ours_expanded(input[i]), theirs[i]) << input[i];
    good += theirs[i] != "error";
  }
  EXPECT_GT(good, 500U);
}

}  // namespace
}  // namespace muster::inventory
