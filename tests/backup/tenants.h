// A repository of an owner, a host, a tenant who is kept apart, and maintenance: each with a credential of its own.
#pragma once

#include <algorithm>

#include "backup/index.h"
#include "backup/object_names.h"
#include "backup/session_writer.h"
#include "tests/backup/support.h"

namespace muster::backup {

class Tenants : public testing::Test {
 protected:
  Tenants() : disk_(3 * kTestChunkBytes) {
    fill(disk_, 0, 3 * kTestChunkBytes, 1);
    let_in(host_, "web-host", {"web*"});
    let_in(other_, "other-tenant", {});
    as_host_ = open_as(storage_, host_);
    as_other_ = open_as(storage_, other_);
    as_maintenance_ = open_as(storage_, maintenance_);
  }

  void let_in(const Credential& host, const std::string& label, const std::vector<std::string>& names) {
    Host known{.id = host.signer(), .label = label, .domain = host.home(), .names = names, .revoked = {}};
    known.signing_key = ed25519_public_key(host.signing_seed);
    as_owner_->add_host({}, known);
  }
  template <typename Work>
  static base::Code refusal(Work work) {
    try {
      work();
    } catch (const base::Error& e) {
      return e.code();
    }
    ADD_FAILURE() << "it was let do that";
    return base::Code::usage;
  }
  std::vector<std::string> names(const Repository& repository) const {
    std::vector<std::string> found;
    for (const auto& listed : list_points({}, repository)) found.push_back(listed.point.name);
    std::sort(found.begin(), found.end());
    return found;
  }
  std::vector<MapEntry> chunks_of(const RestorePoint& point) const {
    const auto index = Index::load({}, *as_owner_);
    PackKeyCache keys(*as_owner_);
    ChunkReader chunks(*as_owner_, *index, keys);
    return MapReader(chunks, point.disks[0].map).leaf({}, point.disks[0].map.root, 0);
  }
  // An index table that says of `id` what is not true.
  void lie_about(const Repository& as, const ChunkId& id) const {
    const auto packs = list_packs({}, *storage_);
    auto builder = build_index_table(
        {packs.front()}, {{{.id = id, .offset = 48, .record_bytes = 200, .plain_bytes = kTestChunkBytes}, 0}});
    put_index_table({}, as, builder);
  }

  // A point of `as` whose map is one leaf of these entries.
  RestorePoint put_map(const Repository& as, const RestorePoint& like, const std::vector<MapEntry>& entries,
                       std::uint64_t size_bytes) const {
    const auto index = Index::load({}, as);
    SessionWriter writer({}, as, *index, {});
    RecordSealer sealer(writer.keys(), 3, 0);
    const auto page = encode_map_page(0, entries);
    const ChunkId root = sealer.id_of(RecordKind::page, page);
    writer.add(sealer.seal(RecordKind::page, root, page));
    writer.flush();
    RestorePoint point = like;
    point.id = random_object_id();
    point.disks[0].map.root = root;
    point.disks[0].map.size_bytes = size_bytes;
    put_point({}, as, point);
    decide_point({}, as, point.id, PointState::confirmed);
    return get_point({}, *as_owner_, point.id).point;
  }

  std::shared_ptr<fakes::MemoryStorage> storage_ = std::make_shared<fakes::MemoryStorage>();
  Credential owner_ = make_repository(*storage_);
  Credential host_ = host_credential(owner_, 0), other_ = host_credential(owner_, 1);
  Credential maintenance_ = maintenance_credential(owner_, 2);
  std::unique_ptr<Repository> as_owner_ = open_as(storage_, owner_), as_host_, as_other_, as_maintenance_;
  fakes::MemoryDisk disk_;
};

}  // namespace muster::backup
