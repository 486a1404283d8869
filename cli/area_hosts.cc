#include "cli/area_hosts.h"

#include <filesystem>

#include "backup/local_host.h"
#include "base/error.h"
#include "cli/connect_options.h"
#include "cli/unit_run.h"

namespace muster::cli {
namespace {

using base::Code;
using base::Error;

// A file system that does not answer any more is noticed after a while; finding changes in a large one takes long.
constexpr std::chrono::minutes kIdle{60};

ssh::RunRequest request_of(const Program& program) {
  const Settings& settings = program.settings;
  ssh::RunRequest request;
  if (settings.given("sudo")) request.sudo = ssh::Sudo{settings.text("sudo").value_or("root")};
  request.sudo_password = asked_secret(program, "ask-sudo-pass", "sudo password: ");
  request.clocks.idle = settings.duration("idle-timeout").value_or(kIdle);
  request.clocks.keepalive = settings.duration("keepalive").value_or(request.clocks.keepalive);
  return request;
}

}  // namespace

AreaWord parse_area_word(const std::string& word) {
  const std::size_t colon = word.starts_with('/') ? std::string::npos : word.find(":/");
  AreaWord parsed;
  if (colon != std::string::npos) parsed.hosts = word.substr(0, colon);
  if (word.empty() || colon == 0) throw Error(Code::usage, "'" + word + "' is no area: write HOST:/PATH, or a path");
  const std::filesystem::path path =
      colon == std::string::npos ? std::filesystem::absolute(word) : std::filesystem::path(word.substr(colon + 1));
  parsed.path = path.lexically_normal().string();
  if (parsed.path.size() > 1 && parsed.path.ends_with('/')) parsed.path.pop_back();
  return parsed;
}

class AreaHosts::Remote : public backup::AreaHost {
 public:
  Remote(AreaHosts& owner, const FleetSelection& selection, std::size_t number)
      : owner_(owner), selection_(selection), number_(number) {}

  int run(const base::Context& ctx, const std::string& command, const ssh::InputSource* input,
          ssh::OutputSink& sink) override {
    const ssh::CancelSignal abort(ctx.stop);
    ssh::Connector connector(abort, owner_.host_keys_, owner_.keys_);
    const auto retries = static_cast<int>(owner_.program_.settings.integer("retries", 0, 100).value_or(0));
    const ssh::HostRunner runner(ctx, connector, owner_.host_keys_, abort, retries);
    ssh::RunRequest request = owner_.request_;
    // The login shell may be any.
    request.command.command = "exec sh -c " + ssh::in_quotes(command);
    request.input = input;
    const auto report = runner.run(selection_.target(number_), request, sink);
    ctx.check_stop();
    if (!report.note.empty()) ctx.note(selection_.names()[number_] + ": " + report.note);
    if (report.status) return *report.status;
    throw Error(code_of(report.state), selection_.names()[number_] + ": " + report.error);
  }

 private:
  AreaHosts& owner_;
  const FleetSelection& selection_;
  const std::size_t number_;
};

AreaHosts::AreaHosts(const Program& program)
    : program_(program), keys_(passphrase_on_terminal(program)), request_(request_of(program)) {}

AreaHosts::~AreaHosts() = default;

std::vector<FoundArea> AreaHosts::find(const std::string& word) { return find(parse_area_word(word)); }

std::vector<FoundArea> AreaHosts::find(const AreaWord& word) {
  if (!word.hosts) {
    hosts_.push_back(std::make_unique<backup::LocalHost>(*request_.clocks.idle, request_.sudo));
    return {{.host_name = "", .path = word.path, .host = hosts_.back().get()}};
  }
  selections_.push_back(std::make_unique<FleetSelection>(program_, *word.hosts));
  const FleetSelection& selection = *selections_.back();
  std::vector<FoundArea> found;
  for (std::size_t i = 0; i < selection.size(); ++i) {
    hosts_.push_back(std::make_unique<Remote>(*this, selection, i));
    found.push_back({.host_name = selection.names()[i], .path = word.path, .host = hosts_.back().get()});
  }
  return found;
}

}  // namespace muster::cli
