// Areas of the machine where muster runs: commands are children of this process.
#pragma once

#include <chrono>

#include "backup/area_host.h"

namespace muster::backup {

class LocalHost : public AreaHost {
 public:
  // `idle`: a command that neither prints nor takes anything for so long is ended, with Error{timeout}.
  explicit LocalHost(std::chrono::milliseconds idle) : idle_(idle) {}
  int run(const base::Context& ctx, const std::string& command, const ssh::InputSource* input,
          ssh::OutputSink& sink) override;

 private:
  const std::chrono::milliseconds idle_;
};

}  // namespace muster::backup
