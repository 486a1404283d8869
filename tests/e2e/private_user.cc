#include "tests/e2e/private_user.h"

#include <filesystem>

#include <unistd.h>

#include "base/durable_file.h"
#include "base/error.h"
#include "base/unique_fd.h"
#include "tests/e2e/muster_process.h"

namespace muster::e2e {
namespace {

constexpr const char* kId = "64123";
constexpr std::size_t kMaxBytes = 1U << 20U;

std::string hashed(const std::string& password) {
  const auto done = run({.argv = {"openssl", "passwd", "-6", "-stdin"}, .input = password + '\n'});
  if (done.code != 0) throw base::Error(base::Code::io, "openssl passwd: " + done.err);
  return done.out.substr(0, done.out.find('\n'));
}

}  // namespace

PrivateUser::PrivateUser(const std::string& password) {
  const std::string name = kName, home = directory_ / "home";
  std::filesystem::create_directory(home);
  if (::chown(home.c_str(), 64123, 64123) != 0) base::throw_errno("give " + home + " to " + name);
  base::replace_file(directory_ / "passwd", base::read_file("/etc/passwd", kMaxBytes) + name + ":x:" + kId + ':' + kId +
                                                "::" + home + ":/bin/sh\n");
  base::replace_file(directory_ / "group", base::read_file("/etc/group", kMaxBytes) + name + ":x:" + kId + ":\n");
  base::replace_file(directory_ / "shadow",
                     base::read_file("/etc/shadow", kMaxBytes) + name + ':' + hashed(password) + ":19000::::::\n",
                     0600);
  base::replace_file(directory_ / "sudoers", "root ALL=(ALL:ALL) ALL\n" + name + " ALL=(ALL:ALL) ALL\n", 0440);
}

std::string PrivateUser::in_namespace() const {
  std::string commands;
  for (const std::string file : {"passwd", "group", "shadow", "sudoers"})
    commands += "mount --bind " + (directory_ / file) + " /etc/" + file + '\n';
  // sudo remembers who gave a password there; the machine's own memory stays out of it.
  return commands + "mkdir -p /run/sudo\nmount -t tmpfs -o mode=711 none /run/sudo\n";
}

}  // namespace muster::e2e
