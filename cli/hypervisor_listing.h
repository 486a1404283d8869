// What many hypervisors answered, in their order. put() is thread-safe; found() is for when all have answered.
#pragma once

#include <cstddef>
#include <mutex>
#include <utility>
#include <vector>

namespace muster::cli {

template <typename Row>
class HypervisorListing {
 public:
  explicit HypervisorListing(std::size_t hypervisors) : found_(hypervisors) {}

  void put(std::size_t hypervisor, std::vector<Row> found) {
    const std::lock_guard lock(mutex_);
    found_[hypervisor] = std::move(found);
  }
  const std::vector<std::vector<Row>>& found() const { return found_; }

 private:
  std::mutex mutex_;
  std::vector<std::vector<Row>> found_;
};

}  // namespace muster::cli
