#include "cli/remote_program.h"

#include <stop_token>
#include <string_view>
#include <tuple>
#include <vector>

#include <signal.h>

#include "base/child_process.h"
#include "base/digest.h"
#include "base/error.h"
#include "base/unique_fd.h"
#include "cli/hypervisor_workers.h"

namespace muster::cli {
namespace {

using base::Code;
using base::Error;

constexpr const char* kWorker = "muster-backup-worker";
constexpr const char* kHypervisorWorker = "muster-hypervisor-worker";
constexpr std::size_t kMaxProgramBytes = 256U << 20;
constexpr std::size_t kDigestBytes = 12;
constexpr std::size_t kMaxSaid = 4096;
constexpr std::chrono::minutes kCopyPatience{10};
constexpr std::chrono::seconds kEndPatience{10};

std::string digest_of_programs() {
  std::string both;
  for (const char* name : {kWorker, kHypervisorWorker}) {
    const auto digest = base::sha256(base::read_file(sibling_program(name), kMaxProgramBytes));
    both += base::as_text(digest);
  }
  const auto digest = base::sha256(both);
  return base::hex(base::as_text(digest).substr(0, kDigestBytes));
}

// The last line that it wrote, on both streams; its exit code.
std::pair<std::string, int> run(const base::Context& ctx, const std::string& script,
                                const std::vector<std::string>& words) {
  std::vector<std::string> argv{"sh", "-c", "exec 2>&1\n" + script, "sh"};
  argv.insert(argv.end(), words.begin(), words.end());
  base::ChildProcess child(argv);
  child.standard_input().reset();
  // Interrupted, it is ended, and what waits for it with it.
  const std::stop_callback end(ctx.stop, [&] { child.signal(SIGKILL); });
  std::string text;
  base::read_pieces(child.standard_output().get(), kCopyPatience, [&](std::string_view piece) {
    text += piece;
    if (text.size() > kMaxSaid) text.erase(0, text.size() - kMaxSaid);
  });
  ctx.check_stop();
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return {text.substr(text.rfind('\n') + 1), child.wait(kEndPatience).code};
}

}  // namespace

std::string installed_worker(const std::string& path) { return "exec " + path + " backup-worker"; }

std::string copied_worker(const base::Context& ctx, const SshPlace& place) {
  // Where it is, for both commands over there.
  const std::string directory = "d=${XDG_CACHE_HOME:-$HOME/.cache}/muster/worker-" + digest_of_programs() + "; ";
  std::string command = directory + "exec \"$d/" + kWorker + "\"";
  std::vector<std::string> words = place.argv;
  words.push_back(directory + "test -x \"$d/" + kWorker + "\"");
  constexpr int kClientFailed = 255;
  auto [said, code] = run(ctx, "exec \"$@\" </dev/null", words);
  if (code == kClientFailed) throw Error(Code::unreachable, "connect to " + place.host + " over SSH: " + said);
  if (code == 0) return command;
  words.back() =
      directory +
      "umask 077; mkdir -p \"$d.$$\" && tar -xf - -C \"$d.$$\" && mv -T \"$d.$$\" \"$d\" || "
      "{ s=$?; rm -rf \"$d.$$\"; test -x \"$d/" +
      kWorker +
      "\" || exit $s; }; "
      // Of versions that nobody copied for a month.
      "find \"${d%/*}\" -maxdepth 1 -name 'worker-*' ! -name \"${d##*/}\" -mtime +30 -exec rm -rf {} +; true";
  const std::string directory_here = sibling_program("");
  words.insert(words.begin(), directory_here);
  std::tie(said, code) = run(
      ctx, std::string("here=$1; shift; tar -chf - -C \"$here\" ") + kWorker + " " + kHypervisorWorker + " | \"$@\"",
      words);
  if (code != 0) throw Error(Code::io, "copy muster to " + place.host + ": " + said);
  return command;
}

}  // namespace muster::cli
