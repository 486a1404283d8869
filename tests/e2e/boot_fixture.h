// What the tests of machines that run from a repository share: a small guest that boots from its disk, backed up while
// it is off, and what is asked of guests by their agent. Not thread-safe.
#pragma once

#include <filesystem>
#include <optional>

#include "tests/e2e/backup_fixture.h"
#include "tests/e2e/guest.h"
#include "tests/e2e/hypervisor.h"
#include "tests/e2e/process_table.h"

namespace muster::e2e {

class BootFixture : public BackupTest {
 protected:
  void SetUp() override {
    if (const auto why = no_hypervisor_because(); !why.empty()) GTEST_SKIP() << why;
    if (run({.argv = {"sh", "-c", "command -v nbdkit"}}).code != 0) GTEST_SKIP() << "nbdkit is not installed";
    hypervisor_.emplace();
    make_repository();
  }

  // As restore point NAME@latest.
  void back_up_guest(const std::string& name = "web01", Guest::Boot boot = Guest::Boot::disk) {
    const Guest guest(*hypervisor_, {.seed = {.host_name = name}, .boot = boot});
    back_up(name);
  }
  // A machine whose disk holds nothing that boots.
  void back_up_blank(const std::string& name = "blank") {
    hypervisor_->define({.name = name});
    back_up(name);
  }
  void back_up(const std::string& name) { expect(0, {"create", "-q", hypervisor_->uri() + "#" + name}); }

  // With where, and where the sockets go.
  Words on_hypervisor(Words words) const {
    for (const auto& word : {std::string("-c"), hypervisor_->uri(), std::string("--scratch"), hypervisor_->directory()})
      words.push_back(word);
    return words;
  }
  std::vector<nlohmann::json> expect_json(int status, Words words) {
    words.emplace_back("--json");
    return json_lines(expect(status, on_hypervisor(std::move(words))).out);
  }

  bool agent_answers(const std::string& domain) const {
    return hypervisor_->try_virsh({"qemu-agent-command", domain, R"({"execute":"guest-ping"})", "--timeout", "5"})
               .code == 0;
  }
  bool wait_for_agent(const std::string& domain) const {
    return wait_until([&] { return agent_answers(domain); }, 90'000);
  }
  std::string in_guest(const std::string& domain, const std::string& command) const {
    return printed_in_guest(*hypervisor_, domain, command);
  }
  // The names of machines that are there, a line each.
  std::string machines() const { return hypervisor_->virsh({"list", "--all", "--name"}); }
  std::ptrdiff_t boot_directories() const {
    const std::string place = hypervisor_->directory() + "/muster-boot";
    if (!std::filesystem::exists(place)) return 0;
    return std::distance(std::filesystem::directory_iterator(place), {});
  }

  std::optional<Hypervisor> hypervisor_;
};

}  // namespace muster::e2e
