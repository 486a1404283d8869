#include "inventory/connection.h"

#include <algorithm>
#include <cctype>
#include <charconv>

#include "base/error.h"
#include "inventory/content.h"
#include "inventory/shell_words.h"
#include "yaml/scalar.h"

namespace muster::inventory {
namespace {

using Names = std::initializer_list<std::string_view>;

std::string lower(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return result;
}

// One host's variables, read as types, with the position in every error.
class Facts {
 public:
  Facts(const Inventory& inventory, HostIndex host)
      : content_(inventory.content()),
        schema_(inventory.schema()),
        strict_(inventory.dialect() == Dialect::ansible_strict),
        layers_(layers_of(content_, host)) {}

  // `own` is muster's short key, which is a free variable to Ansible and therefore ignored under ansible-strict.
  std::optional<std::string> text(std::string_view own, Names ansible) const {
    if (const Assignment* found = strict_ ? nullptr : find(own)) return own_text(own, *found);
    return text(ansible);
  }
  std::optional<std::string> text(Names ansible) const;
  std::optional<std::string> only_own(std::string_view own) const;
  std::optional<std::uint16_t> port() const;
  bool flag(std::string_view name) const;
  std::vector<std::string> words(std::string_view name) const;
  std::vector<std::string> list(std::string_view own) const;

 private:
  const Assignment* find(std::string_view name) const;
  const Assignment* find_last(Names names) const;
  std::string own_text(std::string_view name, const Assignment& found) const;
  std::string own_text(std::string_view name, const Assignment& found, const yaml::Node& value) const;
  void refuse_template(std::string_view name, const Assignment& found, const yaml::Node& value) const;
  [[noreturn]] static void fail(const Assignment& found, const std::string& text) {
    throw base::Error(base::Code::usage, yaml::located(*found.file, found.entry->value.at, text));
  }

  const Inventory::Content& content_;
  yaml::Schema schema_;
  bool strict_;
  std::vector<Layer> layers_;
};

// A null value leaves the variable unset, for muster as for Ansible.
const Assignment* Facts::find(std::string_view name) const {
  const Assignment* found = find_in(layers_, content_, name);
  return found == nullptr || found->entry->value.is_null() ? nullptr : found;
}

// Ansible asks for its names in a fixed order, and takes the last that is set.
const Assignment* Facts::find_last(Names names) const {
  const Assignment* last = nullptr;
  for (const auto name : names)
    if (const Assignment* found = find(name)) last = found;
  return last;
}

void Facts::refuse_template(std::string_view name, const Assignment& found, const yaml::Node& value) const {
  if (value.tag == "!unsafe") return;
  if (value.text.find("{{") == std::string::npos && value.text.find("{%") == std::string::npos) return;
  fail(found, std::string(name) +
                  " contains a template, which is not evaluated here; write the value itself, or tag "
                  "text that only looks like one with !unsafe");
}

std::string Facts::own_text(std::string_view name, const Assignment& found) const {
  return own_text(name, found, found.entry->value);
}

std::string Facts::own_text(std::string_view name, const Assignment& found, const yaml::Node& value) const {
  if (!value.is_scalar()) fail(found, std::string(name) + " is a list or mapping; write text");
  refuse_template(name, found, value);
  const yaml::Scalar scalar = yaml::resolve(value, schema_);
  const auto* text = std::get_if<std::string>(&scalar);
  if (text == nullptr) fail(found, std::string(name) + " is " + value.text + ", which is not text; write it in quotes");
  if (text->empty()) fail(found, std::string(name) + " is empty; write a value or remove the key");
  return *text;
}

std::optional<std::string> Facts::text(Names ansible) const {
  const Assignment* found = find_last(ansible);
  if (found == nullptr) return std::nullopt;
  const yaml::Node& value = found->entry->value;
  if (!value.is_scalar()) fail(*found, found->entry->key.text + " is a list or mapping; write text");
  refuse_template(found->entry->key.text, *found, value);
  if (value.text.empty()) return std::nullopt;
  return value.text;
}

std::optional<std::string> Facts::only_own(std::string_view own) const {
  const Assignment* found = find(own);
  if (found == nullptr) return std::nullopt;
  return own_text(own, *found);
}

std::optional<std::uint16_t> Facts::port() const {
  const Assignment* found = strict_ ? nullptr : find("port");
  if (found == nullptr) found = find_last({"ansible_port", "ansible_ssh_port"});
  if (found == nullptr) return std::nullopt;
  const auto& [key, value] = *found->entry;
  refuse_template(key.text, *found, value);
  std::uint32_t port = 0;
  const char* end = value.text.data() + value.text.size();
  const auto [stopped, error] = std::from_chars(value.text.data(), end, port);
  if (!value.is_scalar() || error != std::errc() || stopped != end || port == 0 || port > 65535)
    fail(*found, key.text + (value.is_scalar() ? " is '" + value.text + "'" : " is a list or mapping") +
                     "; write a whole number between 1 and 65535");
  return static_cast<std::uint16_t>(port);
}

bool Facts::flag(std::string_view name) const {
  const Assignment* found = find(name);
  if (found == nullptr) return false;
  const yaml::Node& value = found->entry->value;
  refuse_template(name, *found, value);
  const std::string text = lower(value.text);
  if (value.is_scalar() &&
      (text == "true" || text == "yes" || text == "on" || text == "y" || text == "t" || text == "1"))
    return true;
  if (value.is_scalar() &&
      (text == "false" || text == "no" || text == "off" || text == "n" || text == "f" || text == "0"))
    return false;
  fail(*found, std::string(name) + " is neither true nor false; write one of them");
}

std::vector<std::string> Facts::words(std::string_view name) const {
  const auto value = text({name});
  if (!value) return {};
  auto split = split_shell_words(*value);
  if (!split) fail(*find(name), std::string(name) + " has a quote that is not closed; close it");
  return std::move(*split);
}

std::vector<std::string> Facts::list(std::string_view own) const {
  const Assignment* found = find(own);
  if (found == nullptr) return {};
  const yaml::Node& value = found->entry->value;
  if (!value.is_sequence()) return {own_text(own, *found)};
  std::vector<std::string> items;
  for (const auto& item : value.items) items.push_back(own_text(own, *found, item));
  return items;
}

// The host of `ProxyJump=host` or `ProxyJump host`, as an -o option has it.
std::optional<std::string> jump_option(const std::string& option) {
  static constexpr std::string_view kKeyword = "proxyjump";
  if (!lower(option).starts_with(kKeyword)) return std::nullopt;
  const auto value = option.find_first_not_of(" \t=", kKeyword.size());
  if (value == kKeyword.size() || value == std::string::npos) return std::nullopt;
  return option.substr(value);
}

// Takes the jump host out of ssh's arguments. Of several the first counts, as for ssh.
std::optional<std::string> take_jump(std::vector<std::string>& args) {
  std::optional<std::string> jump;
  std::vector<std::string> rest;
  for (std::size_t i = 0; i < args.size(); ++i) {
    const bool joined = args[i].size() > 2 && (args[i].starts_with("-J") || args[i].starts_with("-o"));
    const bool separate = (args[i] == "-J" || args[i] == "-o") && i + 1 < args.size();
    const std::string value = joined ? args[i].substr(2) : separate ? args[i + 1] : "";
    const bool is_jump_flag = args[i].starts_with("-J") && (joined || separate);
    const auto found = is_jump_flag ? std::optional(value) : jump_option(value);
    if (!found) {
      rest.push_back(args[i]);
      if (separate) rest.push_back(args[++i]);
      continue;
    }
    if (!jump) jump = found;
    if (separate) ++i;
  }
  args = std::move(rest);
  return jump;
}

std::optional<std::string> other_connection(const std::optional<std::string>& connection) {
  if (!connection) return std::nullopt;
  std::string_view name = *connection;
  if (name.starts_with("ansible.builtin.")) name.remove_prefix(std::string_view("ansible.builtin.").size());
  if (name == "ssh" || name == "smart" || name == "paramiko" || name == "paramiko_ssh") return std::nullopt;
  return connection;
}

Become become_facts(const Facts& facts) {
  Become become;
  become.enabled = facts.flag("ansible_become");
  become.user = facts.text({"ansible_become_user", "ansible_sudo_user"});
  become.password = facts.text({"ansible_become_password", "ansible_become_pass", "ansible_sudo_pass"});
  become.method = facts.text({"ansible_become_method"});
  if (become.method == "sudo" || become.method == "ansible.builtin.sudo") become.method.reset();
  return become;
}

}  // namespace

ConnectionFacts connection_facts(const Inventory& inventory, HostIndex host) {
  const Facts facts(inventory, host);
  ConnectionFacts found;
  found.name = inventory.host_name(host);
  found.address = facts.text("address", {"ansible_host", "ansible_ssh_host"});
  found.port = facts.port();
  found.user = facts.text("user", {"ansible_user", "ansible_ssh_user"});
  found.password = facts.text({"ansible_password", "ansible_ssh_pass", "ansible_ssh_password"});
  found.identity_file = facts.text("identity_file", {"ansible_private_key_file", "ansible_ssh_private_key_file"});
  // In the order in which Ansible hands them to ssh, which takes the first value of an option.
  for (const auto* name : {"ansible_ssh_args", "ansible_ssh_common_args", "ansible_ssh_extra_args"})
    for (auto& word : facts.words(name)) found.ssh_args.push_back(std::move(word));
  const auto jump = take_jump(found.ssh_args);
  found.proxy_jump = facts.text("proxy_jump", {});
  if (!found.proxy_jump) found.proxy_jump = jump;
  found.host_keys = facts.list("host_key");
  found.connection = other_connection(facts.text({"ansible_connection"}));
  found.hypervisor = facts.only_own("hypervisor");
  found.domain = facts.only_own("domain");
  found.become = become_facts(facts);
  return found;
}

ConnectionFacts connection_facts(const Inventory& inventory, const std::string& name) {
  if (const auto host = inventory.find_host(name)) return connection_facts(inventory, *host);
  ConnectionFacts found;
  found.name = name;
  return found;
}

}  // namespace muster::inventory
