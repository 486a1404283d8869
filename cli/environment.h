// The process's surroundings, read in one place: environment variables, the user, the usual directories. Called in
// main's thread before others start.
#pragma once

#include <optional>
#include <string>

namespace muster::cli {

std::optional<std::string> environment(const std::string& name);  // nullopt where unset or empty
std::string home_directory();                                     // may be empty
std::string user_name();
std::string host_name();
std::string config_directory();     // $XDG_CONFIG_HOME/muster
std::string libvirt_directory();    // $XDG_CONFIG_HOME/libvirt: of qemu:///session
std::string temporary_directory();  // $TMPDIR or /tmp
// Of locks, gone with the next boot: /run/muster, /run/user/UID/muster, or /tmp/muster-UID. Made, and the user's own.
// Throws base::Error{io}.
std::string runtime_directory();
bool on_terminal(int fd);

}  // namespace muster::cli
