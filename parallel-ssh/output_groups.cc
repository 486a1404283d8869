#include "parallel-ssh/output_groups.h"

#include <algorithm>

#include <unistd.h>

#include "base/digest.h"
#include "base/error.h"

namespace muster::ssh {
namespace {

base::Sha256Digest digest_of(const OutputSpool& spool) {
  base::Sha256Stream stream;
  spool.read([&](std::string_view piece) { stream.add(piece); });
  return stream.finish();
}

}  // namespace

OutputGroups::Stored OutputGroups::keep(const OutputSpool& spool) {
  const Stored stored{end_, spool.size_bytes()};
  if (stored.size_bytes == 0) return stored;
  if (!file_) file_ = unnamed_file(directory_);
  // An earlier write may have stopped half-way, on a full disk.
  if (::lseek(file_.get(), static_cast<off_t>(end_), SEEK_SET) < 0) base::throw_errno("keep output for its group");
  spool.read([&](std::string_view piece) { base::write_all(file_.get(), piece); });
  end_ += stored.size_bytes;
  return stored;
}

void OutputGroups::add(const std::string& host, const std::string& label, const OutputSpool& out,
                       const OutputSpool& err) {
  Key key{label, digest_of(out), digest_of(err)};
  const std::lock_guard lock(mutex_);
  auto entry = index_.find(key);
  if (entry == index_.end()) {
    // Known only once it is kept: a full disk must not leave an entry without its group.
    groups_.push_back({label, {}, keep(out), keep(err)});
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

void OutputGroups::read(const Stored& stored, const std::function<void(std::string_view)>& take) const {
  if (stored.size_bytes > 0) read_range(file_.get(), stored.offset, stored.size_bytes, take);
}

}  // namespace muster::ssh
