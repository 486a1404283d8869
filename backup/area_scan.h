// What is in an area now: the command that lists it and the reader of what that prints, in the order of a listing; and
// the command that then sends files. GNU find, tr, sort and tar do the work on the machine. Pure functions, but for the
// source.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "archive/entry.h"
#include "base/bytes.h"

namespace muster::backup {

struct AreaOrder {
  std::string path{};  // absolute, of a directory
  // Globs: of a whole path in the area where they begin with a slash, else of what ends with it, as `*.o` or `a/b`.
  std::vector<std::string> excludes{};
  bool one_file_system = false;
};

// Throws Error{usage} for a path or pattern that cannot be.
void check_area_order(const AreaOrder& order);
std::string scan_command(const AreaOrder& order);
// Reads names, each with a zero byte behind, from its standard input.
std::string send_command(const AreaOrder& order);

struct ScannedFile {
  std::string path;
  char type = 'f';  // as find's %y: f d l p c b s
  std::uint64_t size_bytes = 0;
  archive::Timestamp modified{}, changed{};
  std::uint64_t inode = 0, device = 0, links = 1;
};

class ScanReader {
 public:
  // The next bytes that scan_command() prints; empty at the end.
  using Source = std::function<base::ByteView()>;
  explicit ScanReader(Source source) : source_(std::move(source)) {}

  // Of the machine, before it looked; nullopt where the command printed nothing at all.
  std::optional<std::int64_t> began();
  // nullopt at the end. These throw Error{corrupt} for what the command does not print, out of order, or cut short.
  std::optional<ScannedFile> next();
  // Files whose paths are longer than a listing takes: they are passed over.
  std::uint64_t too_long() const { return too_long_; }
  // Find's exit status, after the end.
  int status() const { return status_.value_or(-1); }

 private:
  std::optional<std::string> next_line();

  Source source_;
  base::ByteView piece_{};
  std::optional<std::string> before_;
  std::optional<int> status_;
  std::uint64_t too_long_ = 0;
};

}  // namespace muster::backup
