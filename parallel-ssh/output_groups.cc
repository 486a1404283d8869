#include "parallel-ssh/output_groups.h"

#include <algorithm>

#include "base/digest.h"

namespace muster::ssh {
namespace {

base::Sha256Digest digest_of(const OutputSpool& spool) {
  base::Sha256Stream stream;
  spool.read([&](std::string_view piece) { stream.add(piece); });
  return stream.finish();
}

}  // namespace

void OutputGroups::add(const std::string& host, const std::string& label, const OutputSpool& out,
                       const OutputSpool& err) {
  Key key{label, digest_of(out), digest_of(err)};
  const std::lock_guard lock(mutex_);
  auto entry = index_.find(key);
  if (entry == index_.end()) {
    // Known only once it is kept: a full disk must not leave an entry without its group.
    groups_.push_back({label, {}, store_.keep(out), store_.keep(err)});
    entry = index_.emplace(std::move(key), groups_.size() - 1).first;
  }
  groups_[entry->second].hosts.push_back(host);
}

std::vector<OutputGroups::Group> OutputGroups::groups() const {
  const std::lock_guard lock(mutex_);
  std::vector<Group> sorted = groups_;
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const Group& a, const Group& b) { return a.hosts.size() > b.hosts.size(); });
  return sorted;
}

}  // namespace muster::ssh
