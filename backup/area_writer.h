// Puts the files of an area into a session's packs: chunks are hashed, compressed and encrypted by threads of its own,
// and the listing is made of the files in the order in which they came. One thread calls it.
#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <vector>

#include "backup/area_builder.h"
#include "backup/intake.h"
#include "backup/thread_group.h"
#include "base/bounded_queue.h"

namespace muster::backup {

class AreaWriter {
 public:
  // Both outlive the writer.
  AreaWriter(const base::Context& ctx, Intake& intake);
  AreaWriter(const AreaWriter&) = delete;
  AreaWriter& operator=(const AreaWriter&) = delete;
  ~AreaWriter();

  // In the order of a listing. May wait for the threads; throws what one of them threw.
  void add(AreaItem item);
  // The next piece of the item that was added last: at most kMaxPlainBytes, at least one.
  void add_chunk(base::ByteView bytes);
  void add_hole(std::uint64_t length);
  // The listing's root, once everything is with the session's writer.
  ChunkId finish();

 private:
  // Some items, and bytes of theirs that adjoin.
  struct Group {
    struct Cut {
      std::size_t item, piece, offset, size;
    };
    std::vector<AreaItem> items{};
    base::Bytes bytes{};
    std::vector<Cut> cuts{};
    bool done = false;  // guarded by mutex_
  };
  void hand_over();
  void collect(std::size_t most_waiting);
  void work(const base::Context& ctx);
  std::vector<Piece>& pieces();

  const base::Context& ctx_;
  Intake& intake_;
  RecordSealer sealer_;
  AreaBuilder builder_;
  std::shared_ptr<Group> group_;
  std::deque<std::shared_ptr<Group>> waiting_;  // in order
  std::string path_;                            // of the item that was added last
  std::mutex mutex_;
  std::condition_variable_any ready_;
  base::BoundedQueue<std::shared_ptr<Group>> queue_;
  ThreadGroup threads_;  // last: they use all of the above
};

}  // namespace muster::backup
