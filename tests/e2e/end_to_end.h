// What all end-to-end tests share: a home and a temporary directory of their own, a key, the programs as they were
// built. After each test nothing of what it started may be left, neither processes nor temporary files.
#pragma once

#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/e2e/inventory_file.h"
#include "tests/e2e/muster_process.h"
#include "tests/e2e/ssh_agent.h"
#include "tests/e2e/ssh_server.h"
#include "tests/e2e/temp_dir.h"

namespace muster::e2e {

class EndToEnd : public testing::Test {
 protected:
  EndToEnd();
  void TearDown() override;

  const KeyPair& key() const { return key_; }
  std::string home() const { return directory_ / "home"; }
  std::string file(const std::string& name) const { return directory_ / name; }
  void write(const std::string& path, const std::string& text, mode_t mode = 0600) const;
  std::string read(const std::string& path) const;

  // A server that lets `key()` in as the current user.
  SshServer::Options accepting_key(const std::vector<std::string>& config = {}) const;
  // A host of `server` with user and identity.
  Host host(const SshServer& server, const std::string& name) const;
  Host host(const Endpoint& endpoint, const std::string& name) const;
  // Makes the inventory of all later commands.
  void use(const std::vector<Host>& hosts);

  // `muster -i INVENTORY ARGUMENT...`
  Launch command(const std::vector<std::string>& arguments) const;
  Finished muster(const std::vector<std::string>& arguments, const std::string& input = "");
  // Seen by all later commands: NAME=value.
  void add_environment(const std::string& assignment) { environment_.push_back(assignment); }

 private:
  std::string inventory() const { return directory_ / "inventory.yaml"; }

  TempDir directory_;
  KeyPair key_;
  std::vector<std::string> environment_;
};

// The program's path in the build tree.
std::string program(const std::string& name);

// Lines of --json, each one an object.
std::vector<nlohmann::json> json_lines(const std::string& text);
// The one result of `host`; fails the test if there is not exactly one.
nlohmann::json result_of(const std::vector<nlohmann::json>& lines, const std::string& host);
// The last line, which is to be the only summary; fails the test if it is not.
nlohmann::json summary_of(const std::vector<nlohmann::json>& lines);

// For messages: what a program did.
std::string told(const Finished& finished);
bool contains(const std::string& text, const std::string& part);
bool is_root();

}  // namespace muster::e2e
