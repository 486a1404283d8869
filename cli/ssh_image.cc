#include "cli/ssh_image.h"

#include <fmt/format.h>

#include "base/digest.h"
#include "cli/ssh_tunnel.h"
#include "disk/qemu_program.h"
#include "parallel-ssh/command_line.h"

namespace muster::cli {
namespace {

constexpr unsigned kConnections = 4;

// $1: a directory to be made, for the socket; then qemu-nbd and its arguments, which says at once why an image does not
// open. It ends, and has written what it had to by then, once whoever asked is gone, or says nothing for a minute: then
// the network is, which this host's sshd may learn hours later.
constexpr const char* kServe =
    "umask 077; d=$1; shift; mkdir \"$d\" || exit\n"
    "end() { p=$(cat \"$d/pid\" 2>/dev/null) && kill $p 2>/dev/null && i=0 &&\n"
    "  while kill -0 $p 2>/dev/null && test $i -lt 250; do sleep 0.1; i=$((i + 1)); done; rm -rf \"$d\"; }\n"
    "trap end EXIT; trap 'exit 1' HUP INT TERM PIPE\n"
    "\"$@\" --fork --pid-file=\"$d/pid\" </dev/null >/dev/null || exit\n"
    "echo there; while test \"$(timeout 60 head -c 1)\"; do :; done";

}  // namespace

std::string remote_command(const std::vector<std::string>& words) {
  std::string text = "env LC_ALL=C";
  for (const auto& word : words) text += " " + ssh::in_quotes(word);
  return text;
}

std::string output_of_script(const base::Context& ctx, const SshPlace& place, const std::string& script,
                             const std::vector<std::string>& words, const std::string& action) {
  std::vector<std::string> all{"sh", "-c", script, "sh"};
  all.insert(all.end(), words.begin(), words.end());
  return output_over_ssh(ctx, place, remote_command(all), action);
}

SshImage serve_over_ssh(const base::Context& ctx, const SshPlace& place, const std::string& path,
                        disk::ImageFormat format, disk::Access access, const std::string& bitmap) {
  const std::string directory = "/tmp/muster-" + base::hex(base::random_bytes(16));
  const std::string socket = directory + "/nbd";
  std::vector<std::string> words{"sh",           "-c",
                                 kServe,         "sh",
                                 directory,      "qemu-nbd",
                                 "--persistent", fmt::format("--shared={}", kConnections + 1),
                                 "-f",           disk::name_of(format),
                                 "-k",           socket};
  if (!bitmap.empty()) words.insert(words.end(), {"-B", bitmap});
  if (access == disk::Access::read)
    words.emplace_back("-r");
  else
    words.insert(words.end(), {"--cache=writeback", "--discard=unmap", "--detect-zeroes=off"});
  words.push_back(disk::path_for_qemu(path));
  const auto tunnel = std::make_shared<SshTunnel>(ctx, place, socket, remote_command(words), "open " + path);
  return {.uri = disk::nbd_unix_uri(tunnel->path()),
          .options = {.connections = kConnections, .name = place.host + ":" + path, .needs = tunnel}};
}

}  // namespace muster::cli
