#include "backup/area_intake.h"

#include <algorithm>
#include <map>
#include <optional>

#include <fmt/format.h>

#include "archive/tar_reader.h"
#include "backup/area_plan.h"
#include "backup/area_writer.h"
#include "backup/command_stream.h"
#include "backup/stream_chunker.h"
#include "base/error.h"

namespace muster::backup {
namespace {

using archive::EntryType;
using base::ByteView;
using base::Code;
using base::Context;
using base::Error;

constexpr int kNoDirectory = 66, kTarFailed = 2;
// What changed so shortly before it was looked at may change again within what its file system calls one moment.
constexpr std::int64_t kMomentSeconds = 2;

std::string name_of(const AreaSource& source) {
  return source.host_name.empty() ? source.order.path : source.host_name + ":" + source.order.path;
}

std::string last_message(const CommandStream& stream) {
  return stream.messages().empty() ? "it does not say why" : stream.messages().back();
}

// What the machine says of single files.
void tell_messages(const Context& ctx, const AreaSource& source, const CommandStream& stream) {
  for (const auto& message : stream.messages()) ctx.warn(name_of(source) + ": " + message);
  if (stream.messages_dropped() != 0)
    ctx.warn(fmt::format("{}: and {} more messages like that", name_of(source), stream.messages_dropped()));
}

// Goes through the area as it is now. Returns when the machine began, by its own clock.
std::int64_t scan(const Context& ctx, const AreaSource& source, const Index& index, AreaCursor* parent, AreaPlan& plan,
                  std::uint64_t& unread) {
  CommandStream stream(ctx, *source.host, scan_command(source.order), nullptr);
  ScanReader reader([&] { return stream.next(); });
  const auto began = reader.began();
  if (began) plan.fill(ctx, reader, parent, index);
  const int status = stream.finish();
  if (status == kNoDirectory)
    throw Error(Code::not_found,
                name_of(source) + ": no such directory, or not for this user: " + last_message(stream));
  if (!began || status != 0 || plan.counts().entries == 0)
    throw Error(Code::unsupported,
                fmt::format("{}: cannot list its files, for which it takes GNU find, tr and sort: {}", name_of(source),
                            last_message(stream)));
  if (reader.status() != 0) unread += stream.messages().size() + stream.messages_dropped();
  unread += reader.too_long();
  if (reader.too_long() != 0)
    ctx.warn(
        fmt::format("{}: {} files have paths that are too long, and are left out", name_of(source), reader.too_long()));
  tell_messages(ctx, source, stream);
  return *began;
}

// `./a/b/` of an archive.
std::string relative(std::string_view path) {
  if (path.starts_with("./")) path.remove_prefix(2);
  while (path.ends_with('/')) path.remove_suffix(1);
  return path == "." ? "" : std::string(path);
}

class AreaIntake {
 public:
  AreaIntake(const Context& ctx, Intake& intake, const AreaSource& source, const AreaPoint* parent)
      : ctx_(ctx),
        intake_(intake),
        source_(source),
        parent_(parent),
        chunks_(intake.repository, intake.index, intake.keys),
        chunker_(intake.writer.keys().id_key(RecordKind::chunk)),
        plan_(source.spill_directory) {}

  AreaPoint run() {
    point_ = {.host = source_.host_name,
              .path = source_.order.path,
              .excludes = source_.order.excludes,
              .one_file_system = source_.order.one_file_system};
    began_ = list();
    point_.began = std::chrono::sys_seconds(std::chrono::seconds(began_));
    const PlanCounts& counts = plan_.counts();
    point_.skipped = counts.skipped;
    intake_.counts.dirty_bytes += counts.sent_bytes;
    intake_.progress.begin(Progress::Unit::bytes, counts.sent_bytes);
    if (counts.unchanged == counts.entries)
      take_files(nullptr);
    else
      take_sent();
    point_.tree = {.root = writer_->finish(), .domain = intake_.repository.credential().home()};
    if (counts.skipped != 0) ctx_.note(fmt::format("{}: {} sockets are left out", name_of(source_), counts.skipped));
    return point_;
  }

 private:
  std::int64_t list() {
    std::optional<AreaCursor> cursor;
    if (parent_ != nullptr) cursor.emplace(chunks_, parent_->tree);
    return scan(ctx_, source_, intake_.index, cursor ? &*cursor : nullptr, plan_, point_.unread);
  }

  void take_sent() {
    CommandStream stream(ctx_, *source_.host, send_command(source_.order), &plan_.names());
    archive::TarReader tar([&] {
      const ByteView piece = stream.next();
      intake_.rate.spend(ctx_, piece.size());
      return piece;
    });
    try {
      take_files(&tar);
    } catch (const Error& e) {
      // An archive that breaks off has a reason, which tar knows.
      if (e.code() != Code::corrupt) throw;
      const int status = stream.finish();
      throw Error(Code::io, fmt::format("{}: tar broke off after /{}, with status {}: {} ({})", name_of(source_),
                                        last_path_, status, last_message(stream), e.what()));
    }
    const int status = stream.finish();
    if (status > kTarFailed || status < 0)
      throw Error(Code::io,
                  fmt::format("{}: tar ended with status {}: {}", name_of(source_), status, last_message(stream)));
    if (tar.attributes_dropped() != 0)
      ctx_.warn(fmt::format("{}: {} extended attributes are left out: their files have too many", name_of(source_),
                            tar.attributes_dropped()));
    point_.unread += tar.attributes_dropped();
    for (const auto& message : stream.messages())
      if (message.find("file changed as we read it") != std::string::npos ||
          message.find("padding with zeros") != std::string::npos)
        ++point_.changed;
    tell_messages(ctx_, source_, stream);
  }

  void take_files(archive::TarReader* tar) {
    writer_.emplace(ctx_, intake_);
    std::optional<AreaCursor> before;
    if (parent_ != nullptr) before.emplace(chunks_, parent_->tree);
    AreaPlan::Reader plan(plan_);
    if (tar != nullptr) sent_ = tar->next();
    while (const auto file = plan.next()) {
      ctx_.check_stop();
      if (file->unchanged)
        take_unchanged(*file, *before);
      else
        take_changed(*file, *tar);
    }
    if (sent_) throw Error(Code::corrupt, name_of(source_) + ": tar sent what it was not asked for: " + sent_->path);
  }

  void take_unchanged(const PlannedFile& file, AreaCursor& before) {
    auto item = before.next(ctx_);
    while (item && compare_paths(item->entry.path, file.path) < 0) item = before.next(ctx_);
    if (!item || item->entry.path != file.path)
      throw Error(Code::corrupt, name_of(source_) + ": the earlier listing is not what it was a moment ago");
    if (item->entry.type == EntryType::hard_link && !first_name(file)) {
      // The name that had the bytes is gone, or left out by now.
      auto content = find_item(ctx_, chunks_, parent_->tree, item->entry.target);
      if (!content || content->entry.type != EntryType::file)
        throw Error(Code::corrupt, name_of(source_) + ": the earlier listing has a link to nothing: " + file.path);
      content->entry.path = file.path;
      item = std::move(content);
    }
    put(file, std::move(*item));
  }

  void take_changed(const PlannedFile& file, archive::TarReader& tar) {
    if (!sent_ || relative(sent_->path) != file.path) {
      ++point_.unread;
      return;
    }
    AreaItem item{.entry = std::move(*sent_), .inode = file.inode};
    item.entry.path = file.path;
    // Else it is taken for changed the next time, too.
    if (item.entry.changed && item.entry.changed->seconds > began_ - kMomentSeconds) item.entry.changed.reset();
    last_path_ = file.path;
    bool whole = true;
    if (item.entry.type == EntryType::hard_link) {
      whole = first_name(file) != nullptr;
      item.entry.target = relative(item.entry.target);
    }
    if (whole && put(file, std::move(item)) == EntryType::file) take_bytes(tar);
    if (!whole) ++point_.unread;
    sent_ = tar.next();
  }

  // The name under which the same file was taken already.
  const std::string* first_name(const PlannedFile& file) const {
    if (!file.many_names) return nullptr;
    const auto found = first_names_.find({file.device, file.inode});
    return found == first_names_.end() ? nullptr : &found->second;
  }

  // As a link where the file has been there before. Returns what it became.
  EntryType put(const PlannedFile& file, AreaItem item) {
    ++point_.entries;
    const std::string* first = first_name(file);
    if (first != nullptr && (item.entry.type == EntryType::file || item.entry.type == EntryType::hard_link)) {
      item.entry.type = EntryType::hard_link;
      item.entry.target = *first;
      item.entry.size_bytes = 0;
      item.entry.xattrs.clear();
      item.pieces.clear();
    }
    const EntryType type = item.entry.type;
    if (type == EntryType::file || type == EntryType::hard_link) ++point_.files;
    if (type == EntryType::file) {
      point_.size_bytes += item.entry.size_bytes;
      size_ = item.entry.size_bytes;
      if (file.many_names) first_names_.emplace(std::pair(file.device, file.inode), file.path);
    }
    writer_->add(std::move(item));
    return type;
  }

  void take_bytes(archive::TarReader& tar) {
    std::uint64_t end = 0;  // of what was seen
    while (const auto block = tar.next_block()) {
      if (block->bytes.empty()) continue;
      if (block->offset > end) {
        cut(Rest::too);
        writer_->add_hole(block->offset - end);
        intake_.progress.done += block->offset - end;
      }
      held_.insert(held_.end(), block->bytes.begin(), block->bytes.end());
      end = block->offset + block->bytes.size();
      intake_.counts.read_bytes += block->bytes.size();
      intake_.progress.done += block->bytes.size();
      if (held_.size() >= 2 * chunker_.sizes().most) cut(Rest::stays);
    }
    cut(Rest::too);
    writer_->add_hole(size_ - end);
    intake_.progress.done += size_ - end;
  }

  // What is held, in chunks; the rest only where nothing follows that adjoins.
  enum class Rest { stays, too };
  void cut(Rest rest) {
    ByteView left(held_);
    while (!left.empty() && (rest == Rest::too || left.size() >= chunker_.sizes().most)) {
      const std::size_t size = chunker_.first_chunk(left);
      writer_->add_chunk(left.first(size));
      left = left.subspan(size);
    }
    held_.erase(held_.begin(), held_.end() - static_cast<std::ptrdiff_t>(left.size()));
  }

  const Context& ctx_;
  Intake& intake_;
  const AreaSource& source_;
  const AreaPoint* parent_;
  ChunkReader chunks_;
  const StreamChunker chunker_;
  AreaPlan plan_;
  AreaPoint point_;
  std::int64_t began_ = 0;
  std::optional<AreaWriter> writer_;
  std::optional<archive::Entry> sent_;  // the archive's next entry
  std::string last_path_;               // that was taken from it
  std::map<std::pair<std::uint64_t, std::uint64_t>, std::string> first_names_;
  base::Bytes held_;  // of the file at hand, not cut yet
  std::uint64_t size_ = 0;
};

}  // namespace

AreaPoint take_in_area(const Context& ctx, Intake& intake, const AreaSource& source, const AreaPoint* parent) {
  return AreaIntake(ctx, intake, source, parent).run();
}

AreaForecast look_at_area(const Context& ctx, const Repository& repository, const Index& index,
                          const AreaSource& source, const AreaPoint* parent) {
  PackKeyCache keys(repository);
  ChunkReader chunks(repository, index, keys);
  std::optional<AreaCursor> cursor;
  if (parent != nullptr) cursor.emplace(chunks, parent->tree);
  AreaPlan plan(source.spill_directory);
  std::uint64_t unread = 0;
  scan(ctx, source, index, cursor ? &*cursor : nullptr, plan, unread);
  const auto& counts = plan.counts();
  return {.entries = counts.entries,
          .unchanged = counts.unchanged,
          .size_bytes = counts.size_bytes,
          .sent_bytes = counts.sent_bytes};
}

}  // namespace muster::backup
