#include "cli/environment.h"

#include <array>
#include <cerrno>
#include <cstdlib>

#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"

namespace muster::cli {
namespace {

const passwd* own_entry() {
  static const passwd* const entry = ::getpwuid(::geteuid());  // NOLINT(concurrency-mt-unsafe): before other threads
  return entry;
}

}  // namespace

std::optional<std::string> environment(const std::string& name) {
  const char* value = std::getenv(name.c_str());  // NOLINT(concurrency-mt-unsafe): nobody sets variables here
  if (value == nullptr || *value == '\0') return std::nullopt;
  return value;
}

std::string home_directory() {
  if (const auto home = environment("HOME")) return *home;
  const passwd* entry = own_entry();
  return entry == nullptr ? "" : entry->pw_dir;
}

std::string user_name() {
  const passwd* entry = own_entry();
  return entry == nullptr ? std::to_string(::geteuid()) : entry->pw_name;
}

std::string host_name() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "localhost";
}

std::string config_directory() {
  if (const auto xdg = environment("XDG_CONFIG_HOME")) return *xdg + "/muster";
  return home_directory() + "/.config/muster";
}

std::string libvirt_directory() {
  return environment("XDG_CONFIG_HOME").value_or(home_directory() + "/.config") + "/libvirt";
}

std::string temporary_directory() { return environment("TMPDIR").value_or("/tmp"); }

// Wherever it is asked for from: cron has other variables than a session.
std::string runtime_directory() {
  const std::string user = std::to_string(::geteuid()), session = "/run/user/" + user;
  std::string path = "/run/muster";
  if (::geteuid() != 0) path = ::access(session.c_str(), W_OK) == 0 ? session + "/muster" : "/tmp/muster-" + user;
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) base::throw_errno("make directory " + path);
  struct stat facts {};
  if (::lstat(path.c_str(), &facts) != 0) base::throw_errno(path);
  if (!S_ISDIR(facts.st_mode) || facts.st_uid != ::geteuid() || (facts.st_mode & 022U) != 0)
    throw base::Error(base::Code::refused, path + " is somebody else's, or others may write to it: remove it");
  return path;
}

bool on_terminal(int fd) { return ::isatty(fd) != 0; }

}  // namespace muster::cli
