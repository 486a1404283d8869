#include "tests/e2e/end_to_end.h"

#include <filesystem>
#include <sstream>

#include <signal.h>
#include <unistd.h>

#include "base/durable_file.h"
#include "base/unique_fd.h"
#include "tests/e2e/process_table.h"

namespace muster::e2e {

EndToEnd::EndToEnd() {
  for (const std::string name : {"home", "home/.ssh", "tmp"}) std::filesystem::create_directory(directory_ / name);
  std::filesystem::permissions(directory_ / "home/.ssh", std::filesystem::perms(0700));
  key_ = make_key(directory_ / "id");
  // The last one is no setting: it marks the processes of this test.
  environment_ = {"HOME=" + home(), "TMPDIR=" + (directory_ / "tmp"), "LANG=C.UTF-8", "TERM=xterm",
                  "MUSTER_E2E_TEST=" + directory_.path().string()};
}

void EndToEnd::TearDown() {
  const std::string mark = environment_.at(4);
  wait_until([&] { return processes_with(mark).empty(); }, 2000);
  for (const auto& left : processes_with(mark)) {
    ADD_FAILURE() << "left running: " << left.command;
    ::kill(left.pid, SIGKILL);
  }
  EXPECT_EQ(listing(directory_ / "tmp"), "") << "left in the temporary directory";
}

void EndToEnd::write(const std::string& path, const std::string& text, mode_t mode) const {
  base::replace_file(path, text, mode);
}

std::string EndToEnd::read(const std::string& path) const { return base::read_file(path, 256U << 20U); }

SshServer::Options EndToEnd::accepting_key(const std::vector<std::string>& config) const {
  return {.authorized_keys = {key_.public_line}, .config = config};
}

Host EndToEnd::host(const SshServer& server, const std::string& name) const {
  return host_on(server, name).set("user", current_user()).set("identity_file", key_.file);
}

Host EndToEnd::host(const Endpoint& endpoint, const std::string& name) const {
  return host_at(endpoint, name).set("user", current_user()).set("identity_file", key_.file);
}

void EndToEnd::use(const std::vector<Host>& hosts) { write(inventory(), inventory_text(hosts)); }

Launch EndToEnd::command(const std::vector<std::string>& arguments) const {
  Launch launch{.argv = {program("muster"), "-i", inventory()}, .environment = environment_};
  launch.argv.insert(launch.argv.end(), arguments.begin(), arguments.end());
  return launch;
}

Finished EndToEnd::muster(const std::vector<std::string>& arguments, const std::string& input) {
  Launch launch = command(arguments);
  launch.input = input;
  auto finished = run(launch);
  EXPECT_FALSE(finished.late) << "did not end in time\n" << told(finished);
  return finished;
}

std::string program(const std::string& name) { return std::string(MUSTER_BUILD_DIR) + "/bin/" + name; }

std::vector<nlohmann::json> json_lines(const std::string& text) {
  std::vector<nlohmann::json> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) {
    lines.push_back(nlohmann::json::parse(line, nullptr, false));
    EXPECT_TRUE(lines.back().is_object()) << "no JSON object: " << line;
    EXPECT_TRUE(!lines.back().is_object() || lines.back().value("v", 0) == 1) << "no version: " << line;
  }
  return lines;
}

nlohmann::json result_of(const std::vector<nlohmann::json>& lines, const std::string& host) {
  std::vector<nlohmann::json> found;
  for (const auto& line : lines)
    if (line.is_object() && line.value("type", "") == "result" && line.value("host", "") == host) found.push_back(line);
  EXPECT_EQ(found.size(), 1U) << "results of " << host;
  return found.empty() ? nlohmann::json::object() : found.front();
}

nlohmann::json summary_of(const std::vector<nlohmann::json>& lines) {
  std::size_t summaries = 0;
  for (const auto& line : lines) summaries += line.is_object() && line.value("type", "") == "summary" ? 1U : 0U;
  EXPECT_EQ(summaries, 1U);
  if (lines.empty() || !lines.back().is_object()) return nlohmann::json::object();
  EXPECT_EQ(lines.back().value("type", ""), "summary") << "the summary is the last line";
  return lines.back();
}

std::string told(const Finished& finished) {
  constexpr std::size_t kShown = 4000;
  return "exit status " + std::to_string(finished.code) + ", signal " + std::to_string(finished.signal) + ", " +
         std::to_string(finished.took.count()) + " ms\nstdout: " + finished.out.substr(0, kShown) +
         "\nstderr: " + finished.err.substr(0, kShown);
}

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

bool is_root() { return ::getuid() == 0; }

}  // namespace muster::e2e
