// muster backup key export, recover: the owner's secret as text, for paper, and a new key out of it when no other is
// left.
#include <array>
#include <cerrno>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <poll.h>
#include <unistd.h>

#include "backup/object_names.h"
#include "backup/repository.h"
#include "backup/rfc3339.h"
#include "base/error.h"
#include "cli/backup_commands.h"
#include "cli/backup_key_file.h"
#include "cli/backup_repository.h"
#include "cli/environment.h"
#include "cli/json_lines.h"
#include "disk/stop_signal.h"

namespace muster::cli {
namespace {

using base::Code;
using base::Error;

constexpr std::chrono::hours kTypingPatience{24};
constexpr std::size_t kMaxTextBytes = 65536;

std::string recovery_from_standard_input(const Program& program, const base::Context& ctx) {
  if (on_terminal(STDIN_FILENO)) program.ctx.note("type what `muster backup key export` printed, then Ctrl-D");
  const disk::StopSignal stop(ctx.stop);
  const auto deadline = base::Clock::now() + kTypingPatience;
  std::string text;
  std::array<char, 4096> piece{};
  for (;;) {
    pollfd input{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
    if (!stop.poll({&input, 1}, deadline)) throw Error(Code::timeout, "nothing came on standard input");
    const ssize_t n = ::read(STDIN_FILENO, piece.data(), piece.size());
    if (n == 0) return text;
    if (n < 0 && errno != EINTR && errno != EAGAIN) base::throw_errno("read standard input");
    if (n > 0) text.append(piece.data(), static_cast<std::size_t>(n));
    if (text.size() > kMaxTextBytes) throw Error(Code::usage, "standard input is no recovery text: it is too long");
  }
}

}  // namespace

int backup_key_export(const BackupCommand& command) {
  const Program& program = command.program;
  const auto opened = open_repository(program);
  const auto& credential = opened.repository.credential();
  if (!credential.owner_secret) throw Error(Code::key, "only the owner's key can be exported");
  const std::string text = backup::recovery_text(opened.repository.id(), *credential.owner_secret);
  if (program.json())
    program.console.out(json_line("result", {{"recovery", text}}));
  else
    program.console.out(text);
  program.ctx.note(
      "whoever has this text can read and remove everything in the repository: keep it as you keep its key");
  return close_backup(program, nlohmann::json::object(), 0);
}

int backup_key_recover(const BackupCommand& command) {
  const Program& program = command.program;
  const auto path = program.settings.text("to");
  if (!path) throw Error(Code::usage, "write --to FILE for the new key file");
  check_key_path(*path);
  const auto ctx = until_interrupt(program);
  const auto storage = open_storage(program);
  const auto recovery = backup::parse_recovery_text(recovery_from_standard_input(program, ctx));
  const auto config = backup::read_config(ctx, *storage);
  if (recovery.repository != config.repository)
    throw Error(Code::key, "the text is for repository " + backup::hex(recovery.repository) + ", this is " +
                               backup::hex(config.repository));
  // Whether the secret is the right one, opening tells.
  backup::Unlocking unlocking;
  unlocking.owner_secret = recovery.owner_secret;
  const auto repository = backup::open_repository(ctx, storage, unlocking);
  const backup::SlotFacts facts{.slot = backup::random_object_id(),
                                .kind = backup::SlotKind::file,
                                .role = backup::Role::owner,
                                .label = program.settings.text("label").value_or("recovered"),
                                .created = backup::rfc3339(backup::now())};
  if (program.settings.flag("dry-run"))
    return close_plan(program, "key recover", "make a key for the owner in " + *path + ": the text is right");
  const backup::KeyFile file{.repository = config.repository, .slot = facts.slot, .secret = backup::Secret::random()};
  write_key_file(*path, file);
  backup::put_new(ctx, *storage, backup::object_name(backup::kKeysPrefix, facts.slot),
                  backup::seal_slot_for_file(facts, repository.credential(), file));
  tell(program, fmt::format("made a key for the owner in {}: {}", *path, backup::hex(facts.slot)));
  if (program.json())
    program.console.out(json_line("result", {{"slot", backup::hex(facts.slot)}, {"key_file", *path}}));
  return close_backup(program, nlohmann::json::object(), 0);
}

}  // namespace muster::cli
