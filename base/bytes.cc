#include "base/bytes.h"

#include "base/error.h"

namespace muster::base {

void ByteWriter::raw(ByteView bytes) { bytes_.insert(bytes_.end(), bytes.begin(), bytes.end()); }

ByteView ByteReader::raw(std::size_t count) {
  if (count > left_.size()) throw Error(Code::corrupt, std::string(what_) + ": cut short");
  const ByteView bytes = left_.first(count);
  left_ = left_.subspan(count);
  return bytes;
}

void ByteReader::expect_end() const {
  if (!left_.empty()) throw Error(Code::corrupt, std::string(what_) + ": longer than it says");
}

}  // namespace muster::base
