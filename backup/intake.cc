#include "backup/intake.h"

namespace muster::backup {

ChunkNames names_of(const Intake& intake, RecordSealer& sealer, base::ByteView plain) {
  return {.own = sealer.id_of(RecordKind::chunk, plain),
          .base = intake.with_base ? sealer.base_id_of(plain) : std::nullopt};
}

ChunkId store_chunk(const base::Context& ctx, Intake& intake, RecordSealer& sealer, const ChunkNames& names,
                    base::ByteView plain) {
  ++intake.counts.changed_chunks;
  if (names.base && intake.index.may_rely_on(ctx, RecordKind::chunk, *names.base)) return *names.base;
  if (intake.writer.claim(RecordKind::chunk, names.own)) {
    intake.progress.new_bytes += plain.size();
    intake.writer.add(sealer.seal(RecordKind::chunk, names.own, plain));
  }
  return names.own;
}

}  // namespace muster::backup
