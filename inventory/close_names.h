// Which of many names a mistyped one was meant to be. Pure functions.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace muster::inventory {

// Keeps the best few of the names it is shown. Each costs the product of the two lengths, so it is for error paths.
class CloseNames {
 public:
  explicit CloseNames(std::string_view wanted) : wanted_(wanted) {}
  void consider(std::string_view name);
  // `; did you mean 'web1' or 'web2'?`, or nothing where no name is near.
  std::string suggestion() const;

 private:
  struct Candidate {
    std::size_t distance;
    std::string name;
  };
  std::string wanted_;
  std::vector<Candidate> best_;
};

}  // namespace muster::inventory
