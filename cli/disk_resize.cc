// muster disk resize: the size of an image, and so of a machine's disk; partitions and file systems are others' matter.
#include <atomic>
#include <map>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "cli/disk_commands.h"
#include "cli/disk_target.h"
#include "cli/image_format.h"
#include "cli/size_text.h"
#include "cli/terminal_text.h"
#include "cli/verb_table.h"
#include "cli/vm_run.h"
#include "disk/image_size.h"

namespace muster::cli {
namespace {

using base::Code;
using base::Error;
using nlohmann::json;

constexpr std::chrono::minutes kGrowPatience{5};
// What is to be cut off is read first, where the image does not tell that it is empty.
constexpr std::chrono::hours kShrinkPatience{6};

struct Request {
  DiskTarget target;
  std::string size;  // as it was written
  disk::SizeWish wish;
  bool may_shrink, only_plan;
};

Request request_of(const VerbCommand& command) {
  if (command.words.size() != 2)
    throw Error(Code::usage, fmt::format("write muster disk resize {}", find_verb("disk", "resize")->arguments));
  const Settings& settings = command.program.settings;
  return {.target = parse_disk_target(command.words[0]),
          .size = command.words[1],
          .wish = disk::parse_size_wish(command.words[1]),
          .may_shrink = settings.flag("shrink"),
          .only_plan = settings.flag("dry-run")};
}

// `web01:vda: 1G -> 2G`.
std::string change_line(const std::string& name, const json& result, bool only_plan) {
  const auto from = result.at("from_bytes").get<std::uint64_t>(), to = result.at("to_bytes").get<std::uint64_t>();
  if (from == to) return fmt::format("{}: is {} already\n", name, exact_size_text(to));
  return fmt::format("{}: {}{} -> {}\n", name, only_plan ? "would change " : "", exact_size_text(from),
                     exact_size_text(to));
}

// What is left to do, once for all that was grown.
class Rest {
 public:
  explicit Rest(const base::Context& ctx) : ctx_(ctx) {}

  // In any thread.
  void note(const json& result) {
    if (result.at("to_bytes") <= result.at("from_bytes")) return;
    if (told_.exchange(true)) return;
    ctx_.note(
        "what is inside is as large as it was: next, the guest grows its partition and its file system, as with "
        "growpart /dev/vda 1 and resize2fs /dev/vda1");
    const std::string bus = result.value("bus", "");
    if (result.value("running", false) && bus != "virtio" && bus != "scsi")
      ctx_.note("a guest that runs sees that a disk at " + bus + " grew once it was off");
  }

 private:
  const base::Context& ctx_;
  std::atomic<bool> told_ = false;
};

int resize_file(const VerbCommand& command, const Request& request) {
  const Program& program = command.program;
  const std::string& path = request.target.path;
  const HostNames names{path};
  UnitRun run(program, names, kImages, Closing::failures_only);
  Rest rest(program.ctx);
  const auto work = [&](std::size_t) {
    const auto format = disk::image_format_of(path, image_format(program.settings, "format"));
    const auto plan = [&] { return disk::plan_size(program.ctx, path, format, request.wish, request.may_shrink); };
    const auto change = plan();
    if (change.changes() && !request.only_plan) {
      if (change.shrinks() && !program.settings.flag("yes")) {
        confirm(program, fmt::format("shrink {} to {}", path, exact_size_text(change.to_bytes)));
        // Whoever was asked took their time.
        if (plan() != change) throw Error(Code::refused, path + " has another size by now");
      }
      disk::change_size(program.ctx, path, format, change);
    }
    json result = {{"format", disk::name_of(format)},
                   {"from_bytes", change.from_bytes},
                   {"to_bytes", change.to_bytes},
                   {"changed", change.changes() && !request.only_plan}};
    if (!program.json()) program.console.out(change_line(visible(path), result, request.only_plan));
    if (!request.only_plan) rest.note(result);
    return result;
  };
  return run_on_units(program, run, [&](std::size_t) { return json{{"image", path}}; }, {.run = work});
}

// `+10G` for two names of one machine would be 20G.
void check_different(const VmSelection& selection) {
  std::map<std::pair<std::string, std::string>, std::string> seen;
  for (const auto& target : selection.targets) {
    const auto [first, is_new] = seen.emplace(std::pair(target.uri, target.domain), target.name);
    if (!is_new)
      throw Error(Code::refused, fmt::format("{} and {} are one machine, '{}' on {}", first->second, target.name,
                                             target.domain, target.uri));
  }
}

int resize_machines(const VerbCommand& command, const Request& request) {
  if (command.program.settings.given_now("format"))
    command.program.settings.reject("format", "a machine's definition tells it: only of images by their paths");
  const auto selection = select_machines(command.program, command.workers, request.target.pattern, Purpose::change);
  check_different(selection);
  if (request.may_shrink && !request.only_plan)
    confirm(command.program,
            fmt::format("change {} of {} to {}, also to less", request.target.disk,
                        selection.targets.size() == 1 ? selection.targets.front().name
                                                      : fmt::format("{} machines", selection.targets.size()),
                        request.size));
  Rest rest(command.program.ctx);
  return run_on_machines(command.program, command.workers, selection,
                         {.name = "resize_disk",
                          .arguments =
                              [&](const VmTarget&) {
                                return json{{"target", request.target.disk},
                                            {"size", request.size},
                                            {"may_shrink", request.may_shrink},
                                            {"only_plan", request.only_plan}};
                              },
                          .patience = request.may_shrink ? std::chrono::milliseconds(kShrinkPatience) : kGrowPatience,
                          .line =
                              [&](const VmTarget& target, const json& result) {
                                return change_line(target.name + ":" + request.target.disk, result, request.only_plan);
                              },
                          .shown =
                              [&](json result) {
                                result["disk"] = request.target.disk;
                                result["changed"] = !request.only_plan && result["from_bytes"] != result["to_bytes"];
                                if (!request.only_plan) rest.note(result);
                                return result;
                              }});
}

}  // namespace

int disk_resize(const VerbCommand& command) {
  const Request request = request_of(command);
  return request.target.is_file() ? resize_file(command, request) : resize_machines(command, request);
}

}  // namespace muster::cli
