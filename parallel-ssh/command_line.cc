#include "parallel-ssh/command_line.h"

#include "base/digest.h"

namespace muster::ssh {
namespace {

// The script goes to a file of its own rather than to `sh -s`, so that any interpreter will do and its standard input
// stays free; it is named to the interpreter, so that a /tmp mounted noexec does not matter. dd reads byte by byte
// because nothing else in a POSIX userland is bound to leave the bytes after the script in the pipe. A connection that
// breaks on the way looks like the end of the script: half of one must not run.
std::string script_line(const Script& script, bool input_follows) {
  std::string arguments;
  for (const auto& argument : script.arguments) arguments += " " + in_quotes(argument);
  const std::string receive =
      input_follows ? "dd bs=1 count=" + std::to_string(script.size_bytes) + " of=\"$f\" 2>/dev/null" : "cat >\"$f\"";
  return "f=$(mktemp \"${TMPDIR:-/tmp}/muster.XXXXXX\") || exit 127; trap 'rm -f \"$f\"' 0; "
         "trap 'exit 129' 1; trap 'exit 130' 2; trap 'exit 143' 15; " +
         receive + " || exit 127; [ $(wc -c <\"$f\") -eq " + std::to_string(script.size_bytes) +
         " ] || { echo 'muster: the script did not arrive whole and was not run' >&2; exit 127; }; " +
         script.interpreter + " \"$f\"" + arguments;
}

std::string sudo_line(const Sudo& sudo, const std::string& inner, const SudoSecret* secret) {
  const std::string user = " -u " + in_quotes(sudo.user) + " -- sh -c ";
  if (secret == nullptr) return "sudo -n" + user + in_quotes(inner);
  const std::string ready = "printf %s " + in_quotes(secret->ready_marker) + " >&2; " + inner;
  return "sudo -S -p " + in_quotes(secret->prompt_marker) + user + in_quotes(ready);
}

}  // namespace

std::string in_quotes(std::string_view text) {
  std::string word = "'";
  for (const char c : text) {
    if (c == '\'')
      word += "'\\''";
    else
      word += c;
  }
  return word + "'";
}

std::string interpreter_of(std::string_view script) {
  if (!script.starts_with("#!")) return "sh";
  std::string_view line = script.substr(2, script.find('\n') - 2);
  while (!line.empty() && (line.front() == ' ' || line.front() == '\t')) line.remove_prefix(1);
  while (!line.empty() && (line.back() == ' ' || line.back() == '\r' || line.back() == '\t')) line.remove_suffix(1);
  const std::size_t blank = line.find_first_of(" \t");
  if (line.empty()) return "sh";
  if (blank == std::string_view::npos) return in_quotes(line);
  // As the kernel does it: one argument, blanks included. `env` alone takes a name there.
  std::string_view argument = line.substr(blank);
  while (argument.front() == ' ' || argument.front() == '\t') argument.remove_prefix(1);
  return in_quotes(line.substr(0, blank)) + " " + in_quotes(argument);
}

std::string remote_command_line(const CommandSpec& spec, const SudoSecret* secret) {
  const std::string inner = spec.script ? script_line(*spec.script, spec.input_follows) : spec.command;
  if (spec.sudo) return sudo_line(*spec.sudo, inner, secret);
  // The login shell may be anything; what we wrote ourselves is for a POSIX one.
  return spec.script ? "exec sh -c " + in_quotes(inner) : inner;
}

std::string end_siblings_line() {
  // When the connection is gone before the shell starts, its parent is process 1, whose other children are the
  // machine's services; in a container that may be sshd itself. Some servers run everybody's commands from one process.
  return "exec sh -c '[ $PPID -gt 1 ] && read -r c </proc/$PPID/comm || exit 0; "
         "case $c in sshd*|dropbear*) ;; *) exit 0 ;; esac; "
         "for d in /proc/[0-9]*; do p=${d#/proc/}; [ \"$p\" = $$ ] && continue; "
         "{ read -r s <$d/stat; } 2>/dev/null || continue; set -- ${s##*) }; "
         "[ \"$2\" = $PPID ] && kill -TERM -$p; done'";  // no `--`: dash's kill has none
}

SudoSecret make_sudo_secret(const std::string& password) {
  return {.prompt_marker = "[muster-sudo-" + base::hex(base::random_bytes(8)) + "]",
          .ready_marker = "[muster-ready-" + base::hex(base::random_bytes(8)) + "]",
          .password = password};
}

}  // namespace muster::ssh
