#include "backup/settle.h"

#include <condition_variable>
#include <mutex>
#include <unordered_set>

#include "backup/object_names.h"
#include "base/error.h"

namespace muster::backup {
namespace {

using base::Code;
using base::Context;
using base::Error;

struct Gone {};

void take_back(const Context& ctx, const Repository& repository, const ObjectId& point) {
  try {
    repository.storage().remove(ctx, object_name(kPointsPrefix, point));
  } catch (const Error& e) {
    // A host that may not remove: maintenance will.
    ctx.note(std::string("an unconfirmed restore point stays behind: ") + e.what());
  }
}

}  // namespace

void wait_out_lag(const Context& ctx, const Storage& storage) {
  const auto lag = storage.listing_lag();
  if (lag.count() == 0) return;
  std::mutex mutex;
  std::unique_lock lock(mutex);
  std::condition_variable_any wake;
  wake.wait_for(lock, ctx.stop, lag, [] { return false; });
  ctx.check_stop();
}

bool relies_on_what_stays(const Context& ctx, const Repository& repository, const Index& index,
                          const RestorePoint& point) {
  PackKeyCache keys(repository);
  ChunkReader chunks(repository, index, keys);
  std::unordered_set<ChunkId> seen;
  try {
    for (const auto& content : point.contents())
      walk(ctx, chunks, content,
           {.page =
                [&](const ChunkId& id) {
                  if (!seen.insert(id).second) return MapReader::Below::skip;
                  if (!index.may_rely_on(ctx, RecordKind::page, id)) throw Gone{};
                  return MapReader::Below::look;
                },
            .chunk =
                [&](const ChunkId& id) {
                  if (!index.may_rely_on(ctx, RecordKind::chunk, id)) throw Gone{};
                }});
  } catch (const Gone&) {
    return false;
  } catch (const Error& e) {
    // A page that went between being looked up and being read.
    if (e.code() != Code::not_found && e.code() != Code::corrupt) throw;
    return false;
  }
  return true;
}

bool settle(const Context& ctx, const Repository& repository, const Index& index, const RestorePoint& point) {
  wait_out_lag(ctx, repository.storage());
  // Either maintenance sees the point, which was put before, or its sentence is seen here.
  // Twice: a list is not of one moment, and a sentence that replaces another may be missed together with that. A
  // sentence that was not judged yet may have been judged without a parent that was let go meanwhile.
  const auto unchanged = [&] { return list_sentences(ctx, repository.storage()) == index.sentences(); };
  const bool undisturbed = index.all_judged() && unchanged() && unchanged();
  if (!undisturbed && !relies_on_what_stays(ctx, repository, *Index::load(ctx, repository), point)) {
    take_back(ctx, repository, point.id);
    return false;
  }
  return decide_point(ctx, repository, point.id, PointState::confirmed) == PointState::confirmed;
}

}  // namespace muster::backup
