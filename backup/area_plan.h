// What is to be done about each file of an area, on disk, as there may be millions: found by going once through what is
// there now beside what was there before. Not thread-safe.
#pragma once

#include <set>
#include <string>
#include <utility>

#include "backup/area_scan.h"
#include "backup/area_tree.h"
#include "backup/index.h"
#include "parallel-ssh/input_source.h"

namespace muster::backup {

struct PlannedFile {
  bool unchanged = false;  // as the parent has it; else it is sent
  std::uint64_t inode = 0, device = 0;
  bool many_names = false;  // more than one, in the area or beyond
  std::string path;
};

struct PlanCounts {
  std::uint64_t entries = 0, unchanged = 0;
  std::uint64_t size_bytes = 0, sent_bytes = 0;  // of regular files, by their sizes
  std::uint64_t skipped = 0;                     // sockets, and what is of no known type
};

class AreaPlan {
 public:
  // Its files are unnamed ones in `directory`. Throws Error{io}.
  explicit AreaPlan(const std::string& directory) : files_(directory), names_(directory) {}

  // `parent`: where its listing is read; nullptr without one. Files of which a chunk is damaged are sent again.
  void fill(const base::Context& ctx, ScanReader& scan, AreaCursor* parent, const Index& index);

  const PlanCounts& counts() const { return counts_; }
  // Names for send_command(), complete.
  const ssh::InputSource& names() const { return names_; }
  // The files, one by one.
  class Reader {
   public:
    explicit Reader(const AreaPlan& plan) : source_(&plan.files_) {}
    std::optional<PlannedFile> next();

   private:
    void fill(std::size_t bytes);
    const ssh::InputSource* source_;
    std::uint64_t offset_ = 0;
    std::string held_;
    std::size_t at_ = 0;
  };

 private:
  void add(const ScannedFile& file, bool unchanged);

  ssh::InputSource files_, names_;
  std::string pending_, pending_names_;
  PlanCounts counts_;
  std::set<std::pair<std::uint64_t, std::uint64_t>> many_names_;  // files that were counted under their first name
};

}  // namespace muster::backup
