// What every storage does, as one suite: a kind of storage that tests want to hold to it adds
//
//   INSTANTIATE_TEST_SUITE_P(Remote, StorageConformance, testing::Values(StorageKind{"Sftp", make_place}), name_of);
//
// and links storage_conformance.cc and storage_conformance_lists.cc. It takes lists that lag, and waits for them.
#pragma once

#include <functional>
#include <memory>
#include <ostream>
#include <set>
#include <stop_token>
#include <string>

#include <gtest/gtest.h>

#include "backup/storage.h"

namespace muster::backup {

// Where one test's objects lie: empty at first, gone with it.
class StoragePlace {
 public:
  virtual ~StoragePlace() = default;
  virtual Storage& storage() = 0;
  // As after the end of the process that put them: storage() is another one of the same objects.
  virtual void reopen() = 0;
};

struct StorageKind {
  std::string name;  // letters and digits
  std::function<std::unique_ptr<StoragePlace>()> make;
};

inline void PrintTo(const StorageKind& kind, std::ostream* out) { *out << kind.name; }
// The last argument of INSTANTIATE_TEST_SUITE_P: names of tests end with the kind's.
inline std::string name_of(const testing::TestParamInfo<StorageKind>& info) { return info.param.name; }

class StorageConformance : public testing::TestWithParam<StorageKind> {
 protected:
  void SetUp() override { place_ = GetParam().make(); }

  Storage& storage() { return place_->storage(); }
  Put put(std::string_view name, std::string_view text);
  // The object as text, and by range.
  std::string get(std::string_view name);
  std::string get(std::string_view name, std::uint64_t offset, std::size_t size);
  std::set<std::string> list(std::string_view prefix);
  // Until a list has exactly these, as long as lists may lag; what it has at last.
  std::set<std::string> list_until(std::string_view prefix, const std::set<std::string>& expected);

  std::stop_source stop_;
  const base::Context ctx{.stop = stop_.get_token()};
  std::unique_ptr<StoragePlace> place_;
};

}  // namespace muster::backup
