#include "parallel-ssh/output_store.h"

#include <unistd.h>

#include "base/error.h"

namespace muster::ssh {

OutputStore::Stored OutputStore::keep(const OutputSpool& spool) {
  const Stored stored{end_, spool.size_bytes()};
  if (stored.size_bytes == 0) return stored;
  if (!file_) file_ = unnamed_file(directory_);
  // An earlier write may have stopped half-way, on a full disk.
  if (::lseek(file_.get(), static_cast<off_t>(end_), SEEK_SET) < 0) base::throw_errno("keep output");
  spool.read([&](std::string_view piece) { base::write_all(file_.get(), piece); });
  end_ += stored.size_bytes;
  return stored;
}

void OutputStore::read(const Stored& stored, const std::function<void(std::string_view)>& take) const {
  if (stored.size_bytes > 0) read_range(file_.get(), stored.offset, stored.size_bytes, take);
}

}  // namespace muster::ssh
