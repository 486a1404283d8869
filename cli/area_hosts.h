// The machines of areas, reached as inventory, options and ssh_config say: each a backup::AreaHost. Made by main's
// thread; its hosts are thread-safe.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "backup/area_host.h"
#include "cli/fleet_selection.h"
#include "cli/program.h"
#include "parallel-ssh/host_key_check.h"
#include "parallel-ssh/host_runner.h"
#include "parallel-ssh/key_store.h"

namespace muster::cli {

// `HOST:/PATH`, where HOST may be a pattern, or a path of this machine.
struct AreaWord {
  std::optional<std::string> hosts;
  std::string path;  // absolute, without a slash at its end
};
// Throws base::Error{usage}.
AreaWord parse_area_word(const std::string& word);

struct FoundArea {
  std::string host_name;  // empty: this machine
  std::string path;
  backup::AreaHost* host = nullptr;
};

class AreaHosts {
 public:
  // Asks for passwords where options say so.
  explicit AreaHosts(const Program& program);
  AreaHosts(const AreaHosts&) = delete;
  AreaHosts& operator=(const AreaHosts&) = delete;
  ~AreaHosts();

  // One for each host of the pattern. Throws base::Error{usage} where none matches.
  std::vector<FoundArea> find(const std::string& word);
  std::vector<FoundArea> find(const AreaWord& word);

 private:
  class Remote;

  const Program& program_;
  ssh::KeyStore keys_;
  ssh::HostKeyCheck host_keys_;
  const ssh::RunRequest request_;  // without a command
  std::vector<std::unique_ptr<FleetSelection>> selections_;
  std::vector<std::unique_ptr<backup::AreaHost>> hosts_;
};

}  // namespace muster::cli
