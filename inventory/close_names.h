// Which of many names a mistyped one was meant to be. Pure functions.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace muster::inventory {

// Keeps the first few of the names that come closest. Each costs the product of the two lengths, so it is for error
// paths.
class CloseNames {
 public:
  explicit CloseNames(std::string_view wanted) : wanted_(wanted) {}
  void consider(std::string_view name);
  // `; did you mean 'web1' or 'web2'?`, or nothing where no name is near.
  std::string suggestion() const;

 private:
  std::string wanted_;
  std::size_t distance_ = 0;  // of all in best_
  std::vector<std::string> best_;
};

// What to write in place of a wrong word, after a message about it: the near ones, or else all that there are.
std::string known_words(const std::string& wrong, const std::vector<std::string_view>& known);

}  // namespace muster::inventory
