#include "vm/maker.h"

#include <array>
#include <filesystem>
#include <sstream>

#include <fmt/format.h>
#include <unistd.h>

#include "base/error.h"
#include "base/unique_fd.h"
#include "vm/tombstone.h"

namespace muster::vm {
namespace {

std::string trimmed(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  return text;
}

// The same for two processes only if a pid means the same to both.
std::string this_machine() {
  std::error_code error;
  const auto space = std::filesystem::read_symlink("/proc/self/ns/pid", error);
  return trimmed(base::read_file("/proc/sys/kernel/random/boot_id", 256)) + "/" + space.string();
}

// When a process started, in ticks since the boot; 0: there is none.
std::uint64_t started_at(std::int64_t pid) {
  std::string text;
  try {
    text = base::read_file(fmt::format("/proc/{}/stat", pid), 4096);
  } catch (const base::Error&) {
    return 0;
  }
  // After the program's name, which may hold anything: the state is field 3, the start field 22 (proc(5)).
  std::istringstream fields(text.substr(text.rfind(')') + 1));
  std::string field;
  fields >> field;
  if (field == "Z") return 0;
  for (int number = 4; number <= 22; ++number) fields >> field;
  return std::strtoull(field.c_str(), nullptr, 10);
}

std::string host_name() {
  std::array<char, 256> name{};
  ::gethostname(name.data(), name.size() - 1);
  return name.data();
}

}  // namespace

virt::CreationMark mark_of_this_process() {
  return {.uuid = {},
          .host = host_name(),
          .machine = this_machine(),
          .pid = ::getpid(),
          .started = started_at(::getpid()),
          .since = time_text(now()),
          .volumes = {}};
}

MakerLife life_of(const virt::CreationMark& mark) {
  if (mark.machine != this_machine()) return MakerLife::unknown;
  return mark.started != 0 && started_at(mark.pid) == mark.started ? MakerLife::alive : MakerLife::gone;
}

std::string told(const virt::CreationMark& maker) {
  return fmt::format("process {} on {}, since {}", maker.pid, maker.host, maker.since);
}

void check_abandoned(const virt::CreationMark& maker, TakeOver take_over, const std::string& what,
                     const std::string& remedy) {
  const std::string by = what + " by " + told(maker);
  const auto life = life_of(maker);
  if (life == MakerLife::alive) throw base::Error(base::Code::busy, by + ", which is still at it");
  if (life == MakerLife::unknown && take_over == TakeOver::from_the_dead)
    throw base::Error(base::Code::refused,
                      by + ", and from here nobody can tell whether that still is at it: if not, --yes " + remedy);
}

}  // namespace muster::vm
