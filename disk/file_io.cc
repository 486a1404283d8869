#include "disk/file_io.h"

#include <algorithm>
#include <cerrno>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "base/error.h"

namespace muster::disk {
namespace {

// Between two looks at the stop token.
constexpr std::size_t kStepBytes = 16U << 20;

[[noreturn]] void fail(NamedFile file, const char* action, std::uint64_t offset) {
  base::throw_errno(fmt::format("{}: {} at byte {}", file.name, action, offset));
}

}  // namespace

std::size_t read_file_at(const base::Context& ctx, NamedFile file, std::uint64_t offset, base::MutableBytes into) {
  std::size_t done = 0;
  while (done < into.size()) {
    ctx.check_stop();
    const ssize_t got = ::pread(file.fd, into.data() + done, std::min(into.size() - done, kStepBytes),
                                static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail(file, "read", offset + done);
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
  }
  return done;
}

void write_file_at(const base::Context& ctx, NamedFile file, std::uint64_t offset, base::ByteView bytes) {
  while (!bytes.empty()) {
    ctx.check_stop();
    const ssize_t put = ::pwrite(file.fd, bytes.data(), std::min(bytes.size(), kStepBytes), static_cast<off_t>(offset));
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) fail(file, "write", offset);
    // Only advice; devices do not take it.
    ::sync_file_range(file.fd, static_cast<off_t>(offset), static_cast<off_t>(put), SYNC_FILE_RANGE_WRITE);
    bytes = bytes.subspan(static_cast<std::size_t>(put));
    offset += static_cast<std::uint64_t>(put);
  }
}

}  // namespace muster::disk
