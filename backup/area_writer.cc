#include "backup/area_writer.h"

namespace muster::backup {
namespace {

constexpr std::size_t kGroupBytes = 1U << 20, kGroupItems = 512, kMostWaiting = 64;

}  // namespace

AreaWriter::AreaWriter(const base::Context& ctx, Intake& intake)
    : ctx_(ctx),
      intake_(intake),
      sealer_(intake.new_sealer()),
      builder_(intake.writer, sealer_),
      group_(std::make_shared<Group>()),
      queue_(intake.options.memory_bytes),
      threads_(ctx) {
  threads_.on_failure([this] { queue_.abandon(); });
  const unsigned workers =
      intake.options.workers != 0 ? intake.options.workers : std::max(1U, std::thread::hardware_concurrency());
  for (unsigned i = 0; i < workers; ++i) threads_.start([this](const base::Context& own) { work(own); });
}

AreaWriter::~AreaWriter() { queue_.abandon(); }

void AreaWriter::work(const base::Context& ctx) {
  RecordSealer sealer = intake_.new_sealer();
  while (auto group = queue_.pop()) {
    for (const auto& cut : (*group)->cuts) {
      ctx.check_stop();
      const auto plain = base::ByteView((*group)->bytes).subspan(cut.offset, cut.size);
      ++intake_.counts.chunks;
      (*group)->items[cut.item].pieces[cut.piece].chunk =
          store_chunk(ctx, intake_, sealer, names_of(intake_, sealer, plain), plain);
    }
    {
      const std::lock_guard lock(mutex_);
      (*group)->done = true;
    }
    ready_.notify_all();
  }
}

void AreaWriter::hand_over() {
  if (group_->items.empty()) return;
  const auto full = std::exchange(group_, std::make_shared<Group>());
  waiting_.push_back(full);
  // One that waits at a closed queue is found out by collect().
  queue_.push(full, full->bytes.size());
  collect(kMostWaiting);
}

void AreaWriter::collect(std::size_t most_waiting) {
  while (!waiting_.empty()) {
    {
      std::unique_lock lock(mutex_);
      const auto done = [&] { return waiting_.front()->done; };
      if (!done() && waiting_.size() <= most_waiting) return;
      if (!ready_.wait(lock, threads_.context().stop, done)) {
        lock.unlock();
        threads_.join();
        ctx_.check_stop();
      }
    }
    for (auto& item : waiting_.front()->items) builder_.add(std::move(item));
    waiting_.pop_front();
  }
}

void AreaWriter::add(AreaItem item) {
  if (group_->items.size() >= kGroupItems || group_->bytes.size() >= kGroupBytes) hand_over();
  path_ = item.entry.path;
  group_->items.push_back(std::move(item));
}

// Where they go: a larger file's into items of several groups.
std::vector<Piece>& AreaWriter::pieces() {
  if (group_->bytes.size() >= kGroupBytes) hand_over();
  if (group_->items.empty()) group_->items.push_back({.entry = {.path = path_}, .continues = true});
  return group_->items.back().pieces;
}

void AreaWriter::add_chunk(base::ByteView bytes) {
  auto& into = pieces();
  into.push_back({.length = bytes.size()});
  group_->cuts.push_back({.item = group_->items.size() - 1,
                          .piece = into.size() - 1,
                          .offset = group_->bytes.size(),
                          .size = bytes.size()});
  group_->bytes.insert(group_->bytes.end(), bytes.begin(), bytes.end());
}

void AreaWriter::add_hole(std::uint64_t length) {
  if (length != 0) pieces().push_back({.length = length});
}

ChunkId AreaWriter::finish() {
  hand_over();
  collect(0);
  queue_.close();
  threads_.join();
  return builder_.finish();
}

}  // namespace muster::backup
