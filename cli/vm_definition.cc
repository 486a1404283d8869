// muster vm rename, edit: what a machine is defined as.
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include "base/error.h"
#include "base/unique_fd.h"
#include "cli/connect_options.h"
#include "cli/editor.h"
#include "cli/environment.h"
#include "cli/exit_status.h"
#include "cli/json_lines.h"
#include "cli/terminal_text.h"
#include "cli/vm_commands.h"
#include "cli/vm_run.h"

namespace muster::cli {
namespace {

using base::Code;
using base::Error;
using nlohmann::json;

constexpr std::size_t kMaxDefinitionBytes = 8U << 20;

// A result and the summary of the one machine.
int close(const VerbCommand& command, const VmTarget& target, json fields) {
  if (!command.program.json()) return kAllWorked;
  fields["name"] = target.name;
  fields["uri"] = target.uri;
  command.program.console.out(json_line("result", std::move(fields)) +
                              json_line("summary", {{"machines", 1}, {"exit", kAllWorked}}));
  return kAllWorked;
}

// What a user who edits goes through.
class Editing {
 public:
  Editing(const VerbCommand& command, VmTarget target) : command_(command), target_(std::move(target)) {
    before_ = call("definition", json::object()).at("xml").get<std::string>();
  }

  int from_file(const std::string& file) {
    const std::string after = base::read_file(file, kMaxDefinitionBytes);
    const std::string diff = diff_to(after);
    if (diff.empty()) return unchanged();
    show(diff);
    if (program().settings.flag("dry-run"))
      return close(command_, target_,
                   {{"outcome", "plan"}, {"plan", "edit"}, {"domain", target_.domain}, {"diff", diff}});
    if (on_terminal(STDIN_FILENO)) confirm(program(), question());
    return define(after, diff);
  }

  int in_editor() {
    const DraftFile draft(target_.name, before_);
    for (;;) {
      edit(draft, program().interrupts.abort());
      const std::string after = draft.text();
      const std::string diff = diff_to(after);
      if (diff.empty()) return draft.drop(), unchanged();
      show(diff);
      if (program().settings.flag("dry-run")) return keep(draft), kAllWorked;
      const std::string wanted =
          program().settings.flag("yes") ? "y" : ask(question() + "? [y]es, [e]dit again, [N]o: ", draft);
      if (wanted == "e" || wanted == "edit") continue;
      if (wanted != "y" && wanted != "yes") throw Error(Code::refused, "nothing was changed; " + kept_in(draft));
      if (const auto status = try_to_define(after, diff, draft)) return draft.drop(), *status;
    }
  }

 private:
  const Program& program() const { return command_.program; }
  json call(const std::string& operation, json arguments) const {
    arguments["domain"] = target_.domain;
    return command_.workers.call(target_.uri, operation, arguments, kUsualPatience);
  }
  std::string question() const { return "define " + target_.name + " like this"; }
  static std::string kept_in(const DraftFile& draft) { return "what was written is in " + draft.path(); }
  void keep(const DraftFile& draft) const { program().ctx.note(kept_in(draft)); }

  std::string diff_to(const std::string& after) const {
    return unified_diff({.name = target_.name + " (as it is)", .text = before_},
                        {.name = target_.name + " (edited)", .text = after});
  }
  void show(const std::string& diff) const {
    if (!program().json()) program().console.out(on_terminal(STDOUT_FILENO) ? visible(diff) : diff);
  }

  std::string ask(const std::string& question, const DraftFile& draft) const {
    const auto answer = answer_on_terminal(question, program().interrupts.drain());
    if (!answer) throw Error(Code::refused, "there is no terminal to ask on; " + kept_in(draft));
    return *answer;
  }

  // nullopt: libvirt does not take it, and its user wants to mend it.
  std::optional<int> try_to_define(const std::string& after, const std::string& diff, const DraftFile& draft) const {
    try {
      return define(after, diff);
    } catch (const Error& e) {
      // What was typed is worth more than a quick end.
      if (e.code() == Code::cancelled || program().settings.flag("yes"))
        throw Error(e.code(), std::string(e.what()) + "; " + kept_in(draft));
      program().console.err(visible(std::string(e.what())) + "\n");
      const std::string again = ask("edit again? [Y/n] ", draft);
      if (again == "n" || again == "no") throw Error(e.code(), "not defined; " + kept_in(draft));
      return std::nullopt;
    }
  }

  int define(const std::string& after, const std::string& diff) const {
    json result = call("redefine", {{"before", before_}, {"after", after}});
    if (!program().json()) program().console.out(target_.name + ": defined\n");
    if (result.value("state", "") != "shut off")
      program().ctx.note(target_.name + " is " + result.value("state", "") + ": it takes effect at its next start");
    result["outcome"] = "ok";
    result["diff"] = diff;
    return close(command_, target_, std::move(result));
  }

  int unchanged() const {
    if (!program().json()) program().console.out(target_.name + ": nothing changed\n");
    return close(command_, target_, {{"outcome", "ok"}, {"changed", false}});
  }

  const VerbCommand& command_;
  VmTarget target_;
  std::string before_;
};

}  // namespace

int vm_edit(const VerbCommand& command) {
  const auto file = command.program.settings.text("file");
  if (!file && (!on_terminal(STDIN_FILENO) || !on_terminal(STDOUT_FILENO)))
    throw Error(Code::usage, "there is no terminal for an editor: give the new definition with --file FILE");
  if (!file && command.program.json()) throw Error(Code::usage, "--json wants the new definition with --file FILE");
  Editing editing(command, one_machine(command, command.only_word(), Purpose::change));
  return file ? editing.from_file(*file) : editing.in_editor();
}

int vm_rename(const VerbCommand& command) {
  if (command.words.size() != 2) throw Error(Code::usage, "write muster vm rename VM NEWNAME");
  const std::string& name = command.words[1];
  const VmTarget target = one_machine(command, command.words[0], Purpose::change);
  if (command.program.settings.flag("dry-run")) {
    if (!command.program.json())
      command.program.console.out(
          fmt::format("{}: rename {} to {} on {}\n", target.name, target.domain, name, target.uri));
    return close(command, target,
                 {{"outcome", "plan"}, {"plan", "rename"}, {"domain", target.domain}, {"new_name", name}});
  }
  json result = command.workers.call(target.uri, "rename", {{"domain", target.domain}, {"to", name}}, kUsualPatience);
  const bool changed = result.value("changed", true);
  if (!command.program.json())
    command.program.console.out(fmt::format("{}: {}named {}\n", target.name, changed ? "" : "already ", name));
  if (changed && command.program.settings.given("inventory"))
    command.program.ctx.note(fmt::format("the inventory does not know this: give {} `domain: {}`", target.name, name));
  result["outcome"] = "ok";
  return close(command, target, std::move(result));
}

}  // namespace muster::cli
