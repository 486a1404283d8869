// Every command and every option of muster, in two tables: parsing, the configuration file, the environment, `--help`
// and shell completion all read them, so that an option is described once.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace muster::cli {

// The commands an option belongs to, as bits.
using CommandSet = std::uint32_t;
inline constexpr CommandSet kRun = 1, kPing = 2, kSsh = 4, kInventory = 8, kDoctor = 16, kVm = 32, kCapabilities = 64,
                            kBackup = 128, kMaster = 256, kClone = 512, kKeys = 1024, kDisks = 2048, kPlay = 4096;
inline constexpr CommandSet kFleet = kRun | kPing | kPlay;
inline constexpr CommandSet kMasters = kMaster | kClone;
inline constexpr CommandSet kVirt = kVm | kCapabilities | kMasters | kKeys | kDisks;  // through libvirt
inline constexpr CommandSet kMany = kFleet | kVirt;                                   // over many units
inline constexpr CommandSet kRemote = kFleet | kSsh | kClone;
inline constexpr CommandSet kEvery = ~CommandSet{0};

enum class Takes : std::uint8_t {
  nothing,         // a flag
  value,           // `--fanout 8`, `--fanout=8`, `-f 8`
  list,            // a value, may be given several times
  optional_value,  // `--sudo` or `--sudo=web`
};

struct OptionRow {
  std::string_view name;  // long, without dashes
  char letter;            // '\0': none
  Takes takes;
  CommandSet commands;
  bool configurable;       // also a key of the configuration file and a MUSTER_ variable
  std::string_view value;  // placeholder in --help; `a|b`: exactly these words
  std::string_view help;
};
std::span<const OptionRow> option_rows();
const OptionRow* find_option(std::string_view name);
const OptionRow* find_option(char letter);

struct CommandRow {
  std::string_view name;  // `muster NAME`; its program is muster-NAME
  CommandSet bit;
  std::string_view arguments;
  std::string_view summary;
};
std::span<const CommandRow> command_rows();
const CommandRow* find_command(std::string_view name);

// MUSTER_CONNECT_TIMEOUT for `connect-timeout`.
std::string environment_name(const OptionRow& option);
// connect_timeout.
std::string configuration_key(const OptionRow& option);

}  // namespace muster::cli
