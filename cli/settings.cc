#include "cli/settings.h"

#include <unistd.h>

#include "base/error.h"
#include "cli/environment.h"
#include "cli/limit_profiles.h"
#include "yaml/document.h"
#include "yaml/scalar.h"

namespace muster::cli {
namespace {

using base::Code;
using base::Error;

const OptionRow* option_of_key(const std::string& key) {
  for (const OptionRow& row : option_rows())
    if (row.configurable && configuration_key(row) == key) return &row;
  return nullptr;
}

std::string known_keys() {
  std::string keys;
  for (const OptionRow& row : option_rows())
    if (row.configurable) keys += (keys.empty() ? "" : ", ") + configuration_key(row);
  return keys + ", " + kProfilesKey;
}

bool truth_of(const yaml::Node& node, const std::string& file) {
  const auto scalar = yaml::resolve(node, yaml::Schema::core_1_2);
  if (const bool* value = std::get_if<bool>(&scalar)) return *value;
  throw Error(Code::usage, yaml::located(file, node.at, "write true or false"));
}

// `sudo: true` says whether, not as whom.
bool is_truth_value(const yaml::Node& node) {
  return node.is_scalar() && std::holds_alternative<bool>(yaml::resolve(node, yaml::Schema::core_1_2));
}

bool names_path(std::string_view value) {
  return value.find("FILE") != std::string_view::npos || value.find("DIR") != std::string_view::npos || value == "REPO";
}

std::vector<std::string> values_of(const OptionRow& row, const yaml::Node& node, const std::string& file) {
  if (node.is_scalar()) return {node.text};
  if (!node.is_sequence() || row.takes != Takes::list)
    throw Error(Code::usage, yaml::located(file, node.at, "write one value"));
  std::vector<std::string> values;
  for (const auto& item : node.items) {
    if (!item.is_scalar()) throw Error(Code::usage, yaml::located(file, item.at, "write a list of values"));
    values.push_back(item.text);
  }
  return values;
}

}  // namespace

std::vector<std::string> configuration_files() {
  return {"/etc/muster/config.yaml", config_directory() + "/config.yaml"};
}

Settings::Settings(const CommandRow& command, const Arguments& arguments, const std::vector<std::string>& files) {
  for (const auto& file : files)
    if (::access(file.c_str(), F_OK) == 0) read_file(command, file);
  read_environment(command);
  for (const auto& [name, values] : arguments.options)
    settings_[name] = {.values = values, .origin = "--" + name, .source = Source::option};
}

void Settings::read_file(const CommandRow& command, const std::string& path) {
  const yaml::Document document = yaml::parse_file(path);
  if (document.root.is_null()) return;
  if (!document.root.is_mapping())
    throw Error(Code::usage, yaml::located(path, document.root.at, "write `key: value` lines"));
  for (const auto& [key, value] : document.root.entries) {
    if (key.text == kProfilesKey) {
      limit_profiles(value, path);  // only whether they are right; who wants them reads them
      continue;
    }
    const OptionRow* row = option_of_key(key.text);
    if (row == nullptr)
      throw Error(Code::usage,
                  yaml::located(path, key.at, "unknown key '" + key.text + "'; the keys are " + known_keys()));
    if ((row->commands & command.bit) == 0) continue;
    Setting setting{.values = {}, .origin = yaml::located(path, key.at, key.text)};
    const bool only_whether = row->takes == Takes::optional_value && is_truth_value(value);
    if (row->takes == Takes::nothing || only_whether)
      setting.off = !truth_of(value, path);
    else
      setting.values = values_of(*row, value, path);
    // No shell has done it for them here.
    if (names_path(row->value))
      for (auto& text : setting.values)
        if (text.starts_with("~/")) text.replace(0, 1, home_directory());
    settings_[std::string(row->name)] = setting;
  }
}

void Settings::read_environment(const CommandRow& command) {
  for (const OptionRow& row : option_rows()) {
    if (!row.configurable || (row.commands & command.bit) == 0) continue;
    const auto value = environment(environment_name(row));
    if (!value) continue;
    Setting setting{.values = {*value}, .origin = environment_name(row), .source = Source::variable};
    const bool yes = *value == "1" || *value == "true" || *value == "yes";
    const bool no = *value == "0" || *value == "false" || *value == "no";
    if (row.takes == Takes::nothing || (row.takes == Takes::optional_value && (yes || no))) {
      setting.off = no;
      setting.values.clear();
    }
    settings_[std::string(row.name)] = setting;
  }
}

const Settings::Setting* Settings::find(std::string_view option) const {
  const auto entry = settings_.find(option);
  return entry == settings_.end() || entry->second.off ? nullptr : &entry->second;
}

bool Settings::flag(std::string_view option) const { return find(option) != nullptr; }
bool Settings::given(std::string_view option) const { return find(option) != nullptr; }
Settings::Source Settings::source(std::string_view option) const {
  const Setting* setting = find(option);
  return setting == nullptr ? Source::none : setting->source;
}
bool Settings::given_now(std::string_view option) const { return source(option) >= Source::variable; }

std::optional<std::string> Settings::text(std::string_view option) const {
  const Setting* setting = find(option);
  if (setting == nullptr || setting->values.empty()) return std::nullopt;
  return setting->values.back();
}

std::vector<std::string> Settings::list(std::string_view option) const {
  const Setting* setting = find(option);
  return setting == nullptr ? std::vector<std::string>{} : setting->values;
}

void Settings::reject(std::string_view option, const std::string& why) const {
  const Setting* setting = find(option);
  throw Error(Code::usage, (setting == nullptr ? "--" + std::string(option) : setting->origin) + ": " + why);
}

std::optional<std::chrono::milliseconds> Settings::duration(std::string_view option) const {
  const auto value = text(option);
  if (!value) return std::nullopt;
  try {
    return base::parse_duration(*value);
  } catch (const Error& e) {
    reject(option, e.what());
  }
}

std::optional<std::int64_t> Settings::integer(std::string_view option, std::int64_t low, std::int64_t high) const {
  const auto value = text(option);
  if (!value) return std::nullopt;
  try {
    return base::parse_integer(*value, low, high, "value");
  } catch (const Error& e) {
    reject(option, e.what());
  }
}

std::optional<base::Share> Settings::share(std::string_view option) const {
  const auto value = text(option);
  if (!value) return std::nullopt;
  try {
    return base::parse_share(*value, "value");
  } catch (const Error& e) {
    reject(option, e.what());
  }
}

}  // namespace muster::cli
