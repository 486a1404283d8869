#include "cli/backup_create_order.h"

#include "backup/labels.h"
#include "backup/restore_point.h"
#include "base/error.h"
#include "base/quantity.h"
#include "cli/backup_policy.h"
#include "cli/image_format.h"

namespace muster::cli {
namespace {

using base::Code;
using base::Error;

backup::CreateOptions options_of(const Settings& settings) {
  backup::CreateOptions options{.workers = worker_count(settings), .bytes_per_second = limit_rate(settings)};
  // Those below 0 are zstd's `--fast`; 0 is its own default, which nobody would expect there.
  if (const auto level = settings.integer("compression", -100, 19))
    options.compression_level = static_cast<int>(*level);
  if (options.compression_level == 0) settings.reject("compression", "write a level from 1 to 19, or from -1 to -100");
  return options;
}

MachineOptions machine_options(const Settings& settings) {
  MachineOptions options{.freeze = settings.text("freeze").value_or("auto"),
                         .pause = settings.flag("pause"),
                         .scratch = settings.text("scratch").value_or(""),
                         .without = settings.list("without-disk")};
  if (options.freeze != "auto" && options.freeze != "require" && options.freeze != "none")
    settings.reject("freeze", "'" + options.freeze + "': write auto, require or none");
  return options;
}

// A month of nights.
constexpr unsigned kUsualAuditParts = 30;

unsigned audit_parts(const Settings& settings) {
  if (!settings.given("audit")) return 0;
  return static_cast<unsigned>(settings.integer("audit", 1, backup::kMaxAuditParts).value_or(kUsualAuditParts));
}

void reject_all(const Settings& settings, std::initializer_list<const char*> options, const char* why) {
  for (const char* option : options)
    if (settings.given_now(option)) settings.reject(option, why);
}

void check_areas(const Settings& settings, const CreateOrder& order) {
  if (!order.machines.empty())
    throw Error(Code::usage,
                "machines and areas are backed up apart: write " + order.machines.front() + " in a command of its own");
  reject_all(settings,
             {"audit", "base", "copy-muster", "freeze", "image", "image-format", "pause", "per-hypervisor",
              "remote-muster", "scratch", "skip-unchanged", "tunnel", "without-disk"},
             "not for areas");
}

// Images, machines or areas: what belongs to the one is not for the others.
void check_kind(const Settings& settings, const CreateOrder& order) {
  if (!order.areas.empty()) return check_areas(settings, order);
  reject_all(settings, {"ask-sudo-pass", "exclude", "one-file-system", "sudo"}, "only for areas");
  if (order.machines.empty()) {
    if (order.name.empty() || order.images.empty())
      throw Error(
          Code::usage,
          "write muster backup create VM..., muster backup create --area HOST:/PATH..., or muster backup create "
          "--name NAME --image FILE...");
    reject_all(settings,
               {"audit", "freeze", "pause", "post", "pre", "scratch", "without-disk", "per-hypervisor", "copy-muster",
                "remote-muster", "tunnel"},
               "only for machines, not for images");
    backup::check_point_name(order.name);
    return;
  }
  if (!order.name.empty()) backup::check_point_name(order.name);
  if (settings.flag("tunnel")) reject_all(settings, {"copy-muster", "remote-muster"}, "not with --tunnel");
  reject_all(settings, {"image", "image-format", "base", "skip-unchanged"}, "only for images, not for machines");
}

}  // namespace

std::uint64_t limit_rate(const Settings& settings) {
  const auto text = settings.text("limit-rate");
  if (!text) return 0;
  const std::uint64_t rate = base::parse_size(*text);
  if (rate == 0) settings.reject("limit-rate", "nothing would ever be done at 0 bytes a second");
  return rate;
}

CreateOrder create_order(const Settings& settings, const std::vector<std::string>& words) {
  CreateOrder order{.machines = words,
                    .machine_options = machine_options(settings),
                    .per_hypervisor = static_cast<unsigned>(settings.integer("per-hypervisor", 1, 1000).value_or(2)),
                    .audit_parts = audit_parts(settings),
                    .before = settings.list("pre"),
                    .after = settings.list("post"),
                    .name = settings.text("name").value_or(""),
                    .areas = settings.list("area"),
                    .excludes = settings.list("exclude"),
                    .one_file_system = settings.flag("one-file-system"),
                    .images = settings.list("image"),
                    .format = image_format(settings, "image-format"),
                    .tags = settings.list("tag"),
                    .skip_unchanged = settings.flag("skip-unchanged"),
                    .base = settings.flag("base"),
                    .options = options_of(settings),
                    .policy = keep_policy(settings),
                    .prune = settings.flag("prune"),
                    .check = data_part(settings, "check")};
  check_kind(settings, order);
  for (const auto& tag : order.tags) backup::check_tag(tag);
  return order;
}

}  // namespace muster::cli
