// What QEMU's programs do on another host: images that qemu-nbd serves there to this process alone, and scripts, both
// through SSH sessions. Any thread; blocks on SSH.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/context.h"
#include "cli/ssh_place.h"
#include "disk/disk_file.h"
#include "disk/image_file.h"
#include "disk/nbd_disk.h"

namespace muster::cli {

// Words as one command of a login shell, in the C locale.
std::string remote_command(const std::vector<std::string>& words);

// What a script of `sh` writes there, with these as its words. Throws what output_over_ssh() throws.
std::string output_of_script(const base::Context& ctx, const SshPlace& place, const std::string& script,
                             const std::vector<std::string>& words, const std::string& action);

struct SshImage {
  std::string uri;
  disk::NbdOptions options;  // they keep the server; with them it ends
};

// `bitmap`: what it says is told of, too; empty: none. Returns once it is served. Raw images are locked by nobody
// there. Throws what SshTunnel throws, base::Error{busy} for one that is locked, {io, unsupported} with what qemu-nbd
// said.
SshImage serve_over_ssh(const base::Context& ctx, const SshPlace& place, const std::string& path,
                        disk::ImageFormat format, disk::Access access, const std::string& bitmap = "");

}  // namespace muster::cli
