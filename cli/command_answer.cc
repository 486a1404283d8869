#include "cli/command_answer.h"

#include <algorithm>

#include "cli/unit_run.h"

namespace muster::cli {
namespace {

class Kept : public ssh::OutputSink {
 public:
  void output(ssh::Stream, std::string_view bytes) override {
    text += bytes.substr(0, kMaxKeptOutput - std::min(text.size(), kMaxKeptOutput));
  }
  std::string text;
};

}  // namespace

CommandAnswer ask_host(const ssh::HostRunner& runner, const ssh::Target& target, const ssh::RunRequest& request) {
  Kept kept;
  const auto report = runner.run(target, request, kept);
  CommandAnswer answer{.status = report.status, .output = std::move(kept.text), .error = {}, .note = report.note};
  if (!report.status)
    answer.error.emplace(code_of(report.state), report.error.empty() ? "it did not come to an end" : report.error);
  return answer;
}

}  // namespace muster::cli
