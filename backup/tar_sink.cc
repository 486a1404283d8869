#include "backup/tar_sink.h"

#include <algorithm>

namespace muster::backup {

void TarSink::begin(const archive::Entry& entry, const std::vector<archive::Extent>& data) {
  at_ = 0;
  size_bytes_ = entry.type == archive::EntryType::file ? entry.size_bytes : 0;
  if (!entry.path.empty()) return writer_.begin(entry, data);
  archive::Entry all = entry;
  all.path = ".";
  writer_.begin(all, data);
}

void TarSink::fill(std::uint64_t to) {
  while (at_ < to) {
    const auto part =
        base::ByteView(zeroes_).first(static_cast<std::size_t>(std::min<std::uint64_t>(to - at_, zeroes_.size())));
    writer_.write(part);
    at_ += part.size();
  }
}

void TarSink::write(std::uint64_t offset, base::ByteView bytes) {
  fill(offset);
  writer_.write(bytes);
  at_ += bytes.size();
}

}  // namespace muster::backup
