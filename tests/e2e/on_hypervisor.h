// Tests of `muster vm` on a real hypervisor that all tests of a suite share.
#pragma once

#include <memory>

#include "tests/e2e/end_to_end.h"
#include "tests/e2e/hypervisor.h"

namespace muster::e2e {

class OnHypervisor : public EndToEnd {
 protected:
  static void SetUpTestSuite() { start_hypervisor({}); }
  static void TearDownTestSuite() { hypervisor_.reset(); }
  // Whoever overrides this looks at IsSkipped() first.
  void SetUp() override {
    if (!hypervisor_) GTEST_SKIP() << no_hypervisor_because();
  }

  static void start_hypervisor(const Hypervisor::Options& options) {
    if (no_hypervisor_because().empty()) hypervisor_ = std::make_unique<Hypervisor>(options);
  }
  // With a pool `images`, its directory.
  static void start_with_images(const Hypervisor::Options& options = {}) {
    start_hypervisor(options);
    if (has_hypervisor()) virsh({"pool-create-as", "images", "dir", "--target", hypervisor().directory()});
  }
  // The same, and with libvirt's usual network.
  static void start_with_network() {
    start_with_images({.network = Hypervisor::Network::own});
    if (has_hypervisor()) virsh({"net-start", "default"});
  }
  static bool has_hypervisor() { return hypervisor_ != nullptr; }
  static Hypervisor& hypervisor() { return *hypervisor_; }
  static std::string virsh(const std::vector<std::string>& words) { return hypervisor_->virsh(words); }

  // `muster vm WORD... -c URI`, without an inventory.
  Launch vm_command(const std::vector<std::string>& words, const std::string& uri) const {
    std::vector<std::string> argv = {program("muster"), "vm"};
    argv.insert(argv.end(), words.begin(), words.end());
    argv.insert(argv.end(), {"-c", uri});
    return {.argv = in_clean_environment(argv, {"HOME=" + home(), "TMPDIR=" + file("tmp")})};
  }
  Launch vm_command(const std::vector<std::string>& words) const { return vm_command(words, hypervisor_->uri()); }
  Finished vm(const std::vector<std::string>& words) const { return run(vm_command(words)); }

 private:
  static inline std::unique_ptr<Hypervisor> hypervisor_;
};

}  // namespace muster::e2e
