// The storages that need nothing but this machine, each held to what all of them do.
#include "tests/backup/storage_conformance.h"
#include "tests/backup/storage_directory.h"
#include "tests/fakes/fault_storage.h"
#include "tests/fakes/lossy_files.h"
#include "tests/fakes/memory_storage.h"

namespace muster::backup {
namespace {

using fakes::FaultStorage;
using fakes::LossyFiles;
using fakes::MemoryStorage;

class DirectoryPlace : public StoragePlace {
 public:
  DirectoryPlace() {
    DirectoryStorage::create(directory_.path("repository"));
    reopen();
  }
  Storage& storage() override { return *storage_; }
  void reopen() override { storage_ = std::make_unique<DirectoryStorage>(directory_.path("repository")); }

 private:
  TestDirectory directory_;
  std::unique_ptr<DirectoryStorage> storage_;
};

class LossyPlace : public StoragePlace {
 public:
  LossyPlace() : files_(std::make_unique<LossyFiles>()) {
    DirectoryStorage::create("/repository", *files_);
    storage_ = std::make_unique<DirectoryStorage>("/repository", *files_);
  }
  Storage& storage() override { return *storage_; }
  // All of it was synced: a power loss takes nothing.
  void reopen() override {
    auto files = files_->after_power_loss(0);
    storage_ = std::make_unique<DirectoryStorage>("/repository", *files);
    files_ = std::move(files);
  }

 private:
  std::unique_ptr<LossyFiles> files_;
  std::unique_ptr<DirectoryStorage> storage_;
};

class MemoryPlace : public StoragePlace {
 public:
  Storage& storage() override { return *storage_; }
  void reopen() override { storage_ = std::make_unique<MemoryStorage>(storage_->objects()); }

 protected:
  std::unique_ptr<MemoryStorage> storage_ = std::make_unique<MemoryStorage>();
};

class LaggingPlace : public MemoryPlace {
 public:
  LaggingPlace() { storage_->delay_lists({.operations = 7}); }
};

class FaultPlace : public MemoryPlace {
 public:
  Storage& storage() override { return *around_; }
  void reopen() override {
    MemoryPlace::reopen();
    around_ = std::make_unique<FaultStorage>(*storage_);
  }

 private:
  std::unique_ptr<FaultStorage> around_ = std::make_unique<FaultStorage>(*storage_);
};

template <typename Place>
StorageKind kind(const char* name) {
  return {.name = name, .make = [] { return std::make_unique<Place>(); }};
}

INSTANTIATE_TEST_SUITE_P(Local, StorageConformance,
                         testing::Values(kind<DirectoryPlace>("Directory"), kind<LossyPlace>("DirectoryInMemory"),
                                         kind<MemoryPlace>("Memory"), kind<LaggingPlace>("LaggingMemory"),
                                         kind<FaultPlace>("FaultsWithoutFaults")),
                         name_of);

}  // namespace
}  // namespace muster::backup
