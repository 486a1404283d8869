// Small files of a Linux system as text, changed for a clone. Pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace muster::clone {

// Without what is around it.
std::string first_line(std::string_view text);

// hosts(5): the former name, alone or with a domain, by the new one in lines about this machine itself; with an
// address, too, in those about its former one, which becomes this. `localhost` is nobody's name.
std::string hosts_renamed(std::string_view text, const std::string& former, const std::string& name,
                          const std::string& address = "");

// Settings of a shell's: the line `HOSTNAME=...`, where there is one.
std::string with_host_name(std::string_view text, const std::string& name);

// sshd_config(5): the files of its `HostKey` lines, in absolute paths.
std::vector<std::string> host_key_settings(std::string_view text);

// iscsid's `InitiatorName=iqn...:SUFFIX` with another suffix.
std::string initiator_renamed(std::string_view text, const std::string& suffix);

// The lines that are not there yet, at the end.
std::string with_lines_added(std::string_view text, const std::vector<std::string>& lines);

// passwd(5); nullopt: no such user, or one without a home.
struct Account {
  std::uint32_t uid = 0, gid = 0;
  std::string home;
};
std::optional<Account> account_of(std::string_view passwd, std::string_view user);

}  // namespace muster::clone
