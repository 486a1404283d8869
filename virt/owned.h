// What libvirt hands out and the caller lets go of: memory, references. For .cc files in virt/ only.
#pragma once

#include <cstdlib>
#include <memory>

#include <libvirt/libvirt.h>

namespace muster::virt {

struct Free {
  void operator()(void* memory) const { std::free(memory); }
};
using OwnedText = std::unique_ptr<char, Free>;

struct FreePool {
  void operator()(virStoragePoolPtr pool) const { virStoragePoolFree(pool); }
};
using OwnedPool = std::unique_ptr<virStoragePool, FreePool>;

struct FreeVolume {
  void operator()(virStorageVolPtr volume) const { virStorageVolFree(volume); }
};
using OwnedVolume = std::unique_ptr<virStorageVol, FreeVolume>;

struct FreeSnapshot {
  void operator()(virDomainSnapshotPtr snapshot) const { virDomainSnapshotFree(snapshot); }
};
using OwnedSnapshot = std::unique_ptr<virDomainSnapshot, FreeSnapshot>;

}  // namespace muster::virt
