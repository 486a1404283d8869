#include "cli/backup_lease.h"

#include "base/error.h"

namespace muster::cli {
namespace {

using base::Code;
using base::Error;

std::unique_ptr<backup::Lease> take(const OpenedRepository& opened, const backup::LeaseHolding& holding) {
  try {
    return std::make_unique<backup::Lease>(opened.context, opened.repository, holding);
  } catch (const Error& e) {
    if (e.code() != Code::io && e.code() != Code::no_space) throw;
    opened.context.warn(std::string("nobody can be told that restore points are being read (") + e.what() +
                        "): do not prune meanwhile");
    return nullptr;
  }
}

}  // namespace

std::unique_ptr<backup::Lease> hold_all(const OpenedRepository& opened) {
  return take(opened, {.kind = backup::LeaseKind::reader, .contents = {}});
}

std::unique_ptr<backup::Lease> hold_points(const OpenedRepository& opened,
                                           const std::vector<const backup::ListedPoint*>& points) {
  backup::LeaseHolding holding{.kind = backup::LeaseKind::reader, .contents = {}};
  for (const auto* listed : points)
    for (const auto& content : listed->point.contents()) holding.contents.push_back(content);
  auto lease = take(opened, holding);
  for (const auto* listed : points)
    if (!backup::is_kept(opened.context, opened.repository, listed->point.id))
      throw Error(Code::not_found, "restore point " + backup::hex(listed->point.id) + " was let go just now");
  return lease;
}

}  // namespace muster::cli
