// Files of an area into a tar archive. One thread's.
#pragma once

#include "archive/tar_writer.h"
#include "backup/entry_sink.h"

namespace muster::backup {

class TarSink : public EntrySink {
 public:
  explicit TarSink(archive::TarWriter::Sink sink) : writer_(std::move(sink)), zeroes_(64U << 10) {}

  void begin(const archive::Entry& entry, const std::vector<archive::Extent>& data) override;
  void write(std::uint64_t offset, base::ByteView bytes) override;
  void end() override { fill(size_bytes_); }
  // An archive has the size before the bytes: zeroes stand for what is missing.
  void spoil() override { fill(size_bytes_); }
  // After the last.
  void finish() { writer_.finish(); }

 private:
  void fill(std::uint64_t to);

  archive::TarWriter writer_;
  const base::Bytes zeroes_;
  std::uint64_t at_ = 0, size_bytes_ = 0;  // of the file at hand
};

}  // namespace muster::backup
