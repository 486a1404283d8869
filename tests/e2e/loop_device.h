// A block device of a file. Needs root.
#pragma once

#include <string>
#include <vector>

#include "tests/e2e/muster_process.h"

namespace muster::e2e {

class LoopDevice {
 public:
  // `options`: of losetup.
  explicit LoopDevice(const std::string& file, const std::vector<std::string>& options = {}) {
    std::vector<std::string> argv{"losetup", "--find", "--show"};
    argv.insert(argv.end(), options.begin(), options.end());
    argv.push_back(file);
    const auto attached = run({.argv = argv});
    if (attached.code == 0) path_ = attached.out.substr(0, attached.out.find('\n'));
  }
  LoopDevice(const LoopDevice&) = delete;
  LoopDevice& operator=(const LoopDevice&) = delete;
  ~LoopDevice() {
    if (!path_.empty()) run({.argv = {"losetup", "--detach", path_}});
  }
  // Empty where there is none.
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace muster::e2e
