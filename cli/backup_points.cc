#include "cli/backup_points.h"

#include <algorithm>

#include <fnmatch.h>

#include "base/error.h"

namespace muster::cli {

using base::Code;
using base::Error;

LabelledPoints read_points(const OpenedRepository& opened) {
  return {.points = backup::list_points(opened.context, opened.repository),
          .changes = backup::read_labels(opened.context, opened.repository),
          .boots = backup::read_boot_records(opened.context, opened.repository)};
}

void check_may_make(const OpenedRepository& opened, const std::string& name) {
  const auto& [ctx, repository] = opened;
  repository.home_keys();  // or this key writes nothing
  if (repository.credential().role != backup::Role::host) return;
  const auto host = repository.host(ctx, repository.credential().signer());
  if (!host || host->revoked) throw Error(Code::key, "the repository's owner does not let this host in any more");
  const auto matches = [&](const std::string& glob) {
    return ::fnmatch(glob.c_str(), name.c_str(), FNM_NOESCAPE) == 0;
  };
  if (!host->names.empty() && std::none_of(host->names.begin(), host->names.end(), matches))
    throw Error(Code::key, "this host's key does not allow restore points of '" + name + "'");
}

std::function<bool(const std::string&)> name_glob(const std::string& glob) {
  return [glob](const std::string& name) { return glob.empty() || ::fnmatch(glob.c_str(), name.c_str(), 0) == 0; };
}

}  // namespace muster::cli
