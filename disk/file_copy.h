// A file's copy on this host, as fast as the file systems can: its blocks shared where they have that (FICLONE,
// ioctl_ficlonerange(2)), else its data copied inside the kernel where that can, its holes left holes. Blocks; any
// thread.
#pragma once

#include <string>

#include "base/context.h"

namespace muster::disk {

enum class Sharing { required, where_possible };

// `to` is made, with mode 0600, and must not be there; durable when this returns, and gone again when it throws. Throws
// base::Error{refused} where `to` is there, {unsupported} where blocks cannot be shared and have to be, {no_space, io,
// not_found, cancelled}.
void copy_file(const base::Context& ctx, const std::string& from, const std::string& to, Sharing sharing);

// Whether a file made in `directory` can share blocks with `file`. Leaves nothing behind.
bool can_share_blocks(const std::string& file, const std::string& directory);

}  // namespace muster::disk
