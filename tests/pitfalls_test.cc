// Holds docs/backup-pitfalls.md against what it says: each pitfall names tests that there are, or words of the page.
#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace muster {
namespace {

namespace fs = std::filesystem;

const fs::path kSource = MUSTER_SOURCE_DIR;
constexpr std::size_t kPitfalls = 30;

std::string content(const fs::path& path) {
  std::ifstream file(path);
  EXPECT_TRUE(file.is_open()) << path << " is missing";
  return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<std::string> matches(const std::string& text, const std::string& pattern) {
  const std::regex regex(pattern);
  std::vector<std::string> found;
  for (std::sregex_iterator it(text.begin(), text.end(), regex), end; it != end; ++it) found.push_back((*it)[1]);
  return found;
}

std::set<std::string> all_tests() {
  std::set<std::string> tests;
  const std::regex test(R"((?:^|\n)TEST(?:_F|_P)?\((\w+), (\w+)\))");
  for (const auto& entry : fs::recursive_directory_iterator(kSource / "tests")) {
    if (entry.path().extension() != ".cc") continue;
    const std::string text = content(entry.path());
    for (std::sregex_iterator it(text.begin(), text.end(), test), end; it != end; ++it)
      tests.insert((*it)[1].str() + "." + (*it)[2].str());
  }
  return tests;
}

// Words of the page, whichever line they stand in.
std::string running_text(std::string page) {
  for (char& c : page)
    if (c == '\n') c = ' ';
  return page;
}

TEST(Pitfalls, EachIsShownByATestOrALineOfThePage) {
  const auto tests = all_tests();
  const std::string page = running_text(content(kSource / "man/muster-backup.1"));
  std::ifstream table(kSource / "docs/backup-pitfalls.md");
  std::size_t next = 1;
  for (std::string line; std::getline(table, line);) {
    const std::string number = "| " + std::to_string(next) + " |";
    if (!line.starts_with(number)) continue;
    const std::string shown = line.substr(line.rfind('|', line.size() - 2));
    const auto named = matches(shown, "`([^`]+)`"), quoted = matches(shown, "\"([^\"]+)\"");
    EXPECT_FALSE(named.empty() && quoted.empty()) << line;
    for (const auto& test : named) EXPECT_TRUE(tests.contains(test)) << number << " there is no test " << test;
    for (const auto& words : quoted)
      EXPECT_NE(page.find(words), std::string::npos) << number << " the page does not say: " << words;
    ++next;
  }
  EXPECT_EQ(next, kPitfalls + 1);
}

}  // namespace
}  // namespace muster
