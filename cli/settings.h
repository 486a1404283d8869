// What the user wants, from the configuration files, MUSTER_ variables and options, later ones winning
// (muster-config(5)). Values stay text with the place they came from; each is checked where it is read.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/quantity.h"
#include "cli/arguments.h"

namespace muster::cli {

class Settings {
 public:
  // Whence a value came; later ones win.
  enum class Source { none, file, variable, option };

  // Reads the files that exist. Throws base::Error{usage} for a mistake in one, as file:line:column.
  Settings(const CommandRow& command, const Arguments& arguments, const std::vector<std::string>& files);

  bool flag(std::string_view option) const;
  // Given in any way, with or without a value.
  bool given(std::string_view option) const;
  // `none` where it is not given, or switched off.
  Source source(std::string_view option) const;
  // Given by option or variable, not by a configuration file.
  bool given_now(std::string_view option) const;
  std::optional<std::string> text(std::string_view option) const;
  std::vector<std::string> list(std::string_view option) const;
  // These throw base::Error{usage} naming the place of a bad value.
  std::optional<std::chrono::milliseconds> duration(std::string_view option) const;
  std::optional<std::int64_t> integer(std::string_view option, std::int64_t low, std::int64_t high) const;
  std::optional<base::Share> share(std::string_view option) const;

  // A usage error about this option's value, naming where the value stands.
  [[noreturn]] void reject(std::string_view option, const std::string& why) const;

 private:
  struct Setting {
    std::vector<std::string> values;
    std::string origin;  // `--fanout`, `MUSTER_FANOUT`, `/etc/muster/config.yaml:3:1: fanout`
    Source source = Source::file;
    bool off = false;  // a flag that a later source switched off
  };
  void read_file(const CommandRow& command, const std::string& path);
  void read_environment(const CommandRow& command);
  const Setting* find(std::string_view option) const;

  std::map<std::string, Setting, std::less<>> settings_;
};

// /etc/muster/config.yaml and the user's own.
std::vector<std::string> configuration_files();

}  // namespace muster::cli
