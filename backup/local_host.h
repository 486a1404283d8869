// Areas of the machine where muster runs: commands are children of this process.
#pragma once

#include <chrono>
#include <optional>

#include "backup/area_host.h"
#include "parallel-ssh/command_line.h"

namespace muster::backup {

class LocalHost : public AreaHost {
 public:
  // `idle`: a command that neither prints nor takes anything for so long is ended, with Error{timeout}. `sudo`: as
  // that user, where sudo asks nothing.
  explicit LocalHost(std::chrono::milliseconds idle, std::optional<ssh::Sudo> sudo = std::nullopt)
      : idle_(idle), sudo_(std::move(sudo)) {}
  int run(const base::Context& ctx, const std::string& command, const ssh::InputSource* input,
          ssh::OutputSink& sink) override;

 private:
  const std::chrono::milliseconds idle_;
  const std::optional<ssh::Sudo> sudo_;
};

}  // namespace muster::backup
