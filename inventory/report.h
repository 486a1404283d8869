// Where the loader tells what is wrong: thrown at once, or collected for `inventory check`. Internal to inventory/.
// Not thread-safe.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "base/context.h"
#include "base/error.h"
#include "inventory/inventory.h"
#include "yaml/document.h"

namespace muster::inventory {

class Report {
 public:
  static constexpr std::size_t kMaxProblems = 1000;

  // Problems go to `all`, or are thrown as base::Error{usage} where it is nullptr.
  Report(const base::Context& ctx, Dialect dialect, std::vector<std::string>* all)
      : ctx_(ctx), dialect_(dialect), all_(all) {}

  Dialect dialect() const { return dialect_; }
  bool strict() const { return dialect_ == Dialect::ansible_strict; }

  // Wrong in every dialect. Returns only when problems are collected: the caller skips what it was about.
  void error(const Origin& where, const std::string& text) { add(yaml::located(where.file, where.at, text)); }
  // Wrong for muster, a warning for Ansible.
  void mistake(const Origin& where, const std::string& text) {
    if (strict())
      warn(where, text);
    else
      error(where, text);
  }
  void warn(const Origin& where, const std::string& text) const {
    ctx_.warn(yaml::located(where.file, where.at, text));
  }
  // `text` has its position already.
  void add(const std::string& text) {
    if (all_ == nullptr) throw base::Error(base::Code::usage, text);
    if (all_->size() < kMaxProblems) all_->push_back(text);
  }
  const base::Context& context() const { return ctx_; }

 private:
  const base::Context& ctx_;
  Dialect dialect_;
  std::vector<std::string>* all_;
};

}  // namespace muster::inventory
