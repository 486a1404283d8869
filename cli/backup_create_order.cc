#include "cli/backup_create_order.h"

#include "backup/labels.h"
#include "backup/restore_point.h"
#include "base/error.h"
#include "base/quantity.h"
#include "cli/backup_policy.h"

namespace muster::cli {
namespace {

using base::Code;
using base::Error;

backup::CreateOptions options_of(const Settings& settings) {
  backup::CreateOptions options{.workers = worker_count(settings), .bytes_per_second = limit_rate(settings)};
  if (const auto level = settings.integer("compression", 1, 19)) options.compression_level = static_cast<int>(*level);
  return options;
}

}  // namespace

std::optional<disk::ImageFormat> image_format(const Settings& settings, std::string_view option) {
  const auto text = settings.text(option);
  if (!text) return std::nullopt;
  for (const auto format : {disk::ImageFormat::raw, disk::ImageFormat::qcow2})
    if (*text == disk::name_of(format)) return format;
  settings.reject(option, "'" + *text + "': write raw or qcow2");
}

std::uint64_t limit_rate(const Settings& settings) {
  const auto text = settings.text("limit-rate");
  if (!text) return 0;
  const std::uint64_t rate = base::parse_size(*text);
  if (rate == 0) settings.reject("limit-rate", "nothing would ever be done at 0 bytes a second");
  return rate;
}

CreateOrder create_order(const Settings& settings) {
  CreateOrder order{.name = settings.text("name").value_or(""),
                    .images = settings.list("image"),
                    .format = image_format(settings, "image-format"),
                    .tags = settings.list("tag"),
                    .skip_unchanged = settings.flag("skip-unchanged"),
                    .base = settings.flag("base"),
                    .options = options_of(settings),
                    .policy = keep_policy(settings),
                    .prune = settings.flag("prune"),
                    .check = data_part(settings, "check")};
  if (order.name.empty() || order.images.empty())
    throw Error(Code::usage, "write muster backup create --name NAME --image FILE...");
  backup::check_point_name(order.name);
  for (const auto& tag : order.tags) backup::check_tag(tag);
  return order;
}

}  // namespace muster::cli
