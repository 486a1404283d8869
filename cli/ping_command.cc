// muster ping: who answers and lets us in.
#include <fmt/format.h>

#include "base/error.h"
#include "base/quantity.h"
#include "cli/environment.h"
#include "cli/fleet_run.h"
#include "cli/terminal_text.h"

namespace muster::cli {
namespace {

// `HOST: ok in 0.03s, SSH-2.0-OpenSSH_9.2p1`, when it is known. Who is not ok is told by the run's record.
class PingOutput : public ssh::RunObserver {
 public:
  PingOutput(Console& console, const HostNames& names) : console_(console), names_(names) {}

  std::unique_ptr<ssh::HostOutput> started(std::size_t host) override {
    return std::make_unique<Host>(console_, names_[host]);
  }
  void skipped(const ssh::HostReport&) override {}

 private:
  class Host : public ssh::HostOutput {
   public:
    Host(Console& console, const std::string& name) : console_(console), name_(name) {}
    void output(ssh::Stream stream, std::string_view bytes) override {
      if (stream == ssh::Stream::out) software_ += bytes;
    }
    void finished(const ssh::HostReport& report) override {
      if (report.state != ssh::HostState::ok) return;
      const std::string software = software_.empty() ? "" : ", " + visible(software_);
      console_.out(fmt::format("{}: ok in {}{}\n", name_, base::format_duration(report.duration), software));
    }

   private:
    Console& console_;
    const std::string& name_;
    std::string software_;
  };

  Console& console_;
  const HostNames& names_;
};

int ping(Program& program) {
  if (program.arguments.words.size() != 1)
    throw base::Error(base::Code::usage, "one host pattern, please: muster ping PATTERN");
  const FleetSelection selection(program, program.arguments.words.front(), Unnamed::local_hypervisor);
  std::unique_ptr<ssh::RunObserver> output;
  if (program.json())
    output = json_output(program.console, selection.names(), temporary_directory());
  else
    output = std::make_unique<PingOutput>(program.console, selection.names());
  FleetRun fleet(program, selection);
  return fleet.execute([](const ssh::HostRunner& runner, const ssh::Target& target, std::size_t,
                          ssh::OutputSink& sink) { return runner.ping(target, sink); },
                       output.get());
}

}  // namespace
}  // namespace muster::cli

int main(int argc, char** argv) { return muster::cli::run_program("ping", argc, argv, muster::cli::ping); }
