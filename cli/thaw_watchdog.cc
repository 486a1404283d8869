#include "cli/thaw_watchdog.h"

#include <chrono>

#include <poll.h>
#include <unistd.h>

#include "base/error.h"
#include "virt/connection.h"
#include "vm/quiesce.h"

namespace muster::cli {
namespace {

// Longer than any guest may be kept frozen: writing its memory out pauses it anyhow.
constexpr std::chrono::minutes kWatch{10};
constexpr std::chrono::minutes kThawPatience{5};

bool called_off() {
  pollfd input{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
  const auto wait = std::chrono::duration_cast<std::chrono::milliseconds>(kWatch).count();
  char byte = 0;
  return ::poll(&input, 1, static_cast<int>(wait)) == 1 && ::read(STDIN_FILENO, &byte, 1) == 1;
}

}  // namespace

std::vector<std::string> thaw_watchdog_command(const std::string& uri, const std::string& domain) {
  return {"/proc/self/exe", "--thaw", uri, domain};
}

int watch_and_thaw(const std::string& uri, const std::string& domain) {
  // The group that was made for it ends with whoever started it.
  if (::fork() != 0) return 0;
  ::setsid();
  if (called_off()) return 0;
  try {
    const virt::Connection connection(uri);
    vm::thaw_within({}, connection.domain(domain), kThawPatience);
    return 0;
  } catch (const base::Error&) {
    return 1;  // nobody is left to be told
  }
}

}  // namespace muster::cli
