#include "backup/area_export.h"

#include <algorithm>
#include <map>

#include "base/error.h"

namespace muster::backup {
namespace {

using archive::Entry;
using archive::EntryType;
using archive::Extent;
using base::Code;
using base::Context;
using base::Error;

// Where data lies; empty where there is no hole.
std::vector<Extent> data_of(const AreaItem& item) {
  std::vector<Extent> data;
  std::uint64_t at = 0;
  bool holes = false;
  for (const auto& piece : item.pieces) {
    holes = holes || !piece.chunk;
    if (piece.chunk && !data.empty() && data.back().offset + data.back().length == at)
      data.back().length += piece.length;
    else if (piece.chunk)
      data.push_back({at, piece.length});
    at += piece.length;
  }
  if (!holes) return {};
  // One that ends nothing: a file that is one hole has it.
  if (data.empty()) data.push_back({at, 0});
  return data;
}

bool ends_all(const Error& e) {
  return e.code() == Code::no_space || e.code() == Code::cancelled || e.code() == Code::unreachable ||
         e.code() == Code::timeout || e.code() == Code::key;
}

class PieceReader {
 public:
  PieceReader(const Repository& repository, const Index& index, const AreaTree& tree)
      : keys_(repository), chunks_(repository, index, keys_) {
    chunks_.accept_only(tree.domain);
  }

  base::ByteView read(const Context& ctx, const Piece& piece) {
    chunks_.get(ctx, RecordKind::chunk, *piece.chunk, plain_);
    if (plain_.size() != piece.length)
      throw Error(Code::corrupt, "chunk " + hex(*piece.chunk) + ": is not as long as the listing says");
    return plain_;
  }
  ChunkReader& chunks() { return chunks_; }

 private:
  PackKeyCache keys_;
  ChunkReader chunks_;
  base::Bytes plain_;
};

// A listing that was made up may say anything.
void check_pieces(const AreaItem& item) {
  std::uint64_t left = item.entry.size_bytes;
  for (const auto& piece : item.pieces) {
    if (piece.length > left) throw Error(Code::corrupt, "a file has more pieces than bytes");
    left -= piece.length;
  }
  if (left != 0) throw Error(Code::corrupt, "a file has fewer pieces than bytes");
}

class Export {
 public:
  Export(const Context& ctx, const Repository& repository, const Index& index, const AreaExport& what, EntrySink& sink,
         Progress& progress)
      : ctx_(ctx),
        what_(what),
        sink_(sink),
        progress_(progress),
        pieces_(repository, index, what.tree),
        listing_(repository, index, what.tree),
        rate_(what.bytes_per_second) {}

  ExportCounts run() {
    AreaCursor cursor(listing_.chunks(), what_.tree);
    cursor.seek(ctx_, what_.path);
    auto item = cursor.next(ctx_);
    if (!item || item->entry.path != what_.path) throw Error(Code::not_found, "no '/" + what_.path + "' in the area");
    for (; item && is_below(item->entry.path); item = cursor.next(ctx_)) {
      ctx_.check_stop();
      take(std::move(*item));
    }
    return counts_;
  }

 private:
  bool is_below(const std::string& path) const {
    return what_.path.empty() || path == what_.path || (path.starts_with(what_.path) && path[what_.path.size()] == '/');
  }

  std::string outer(const std::string& path) const {
    std::string below = path.substr(what_.path.size());
    if (what_.prefix.empty() && below.starts_with('/')) below.erase(0, 1);
    return !what_.prefix.empty() && !below.empty() && !below.starts_with('/') ? what_.prefix + "/" + below
                                                                              : what_.prefix + below;
  }

  void take(AreaItem item) {
    const std::string path = item.entry.path;
    try {
      if (item.entry.type == EntryType::hard_link) resolve(item);
      item.entry.path = outer(path);
      ++counts_.entries;
      if (item.entry.type == EntryType::file) {
        ++counts_.files;
        take_file(item);
      } else {
        sink_.begin(item.entry, {});
        sink_.end();
      }
    } catch (const Error& e) {
      if (ends_all(e)) throw;
      ++counts_.failed;
      ctx_.warn("/" + path + ": " + e.what());
    }
  }

  // A link to a name that is taken, too, stays one; the first of others brings the bytes.
  void resolve(AreaItem& item) {
    const std::string target = item.entry.target;
    if (is_below(target)) {
      item.entry.target = outer(target);
      return;
    }
    const std::string path = outer(item.entry.path);
    const auto [first, fresh] = outside_.emplace(target, path);
    item.entry.target = first->second;
    if (!fresh) return;
    auto content = find_item(ctx_, listing_.chunks(), what_.tree, target);
    if (!content || content->entry.type != EntryType::file)
      throw Error(Code::corrupt, "is a link to what is not in the listing");
    content->entry.path = item.entry.path;
    item = std::move(*content);
  }

  void take_file(const AreaItem& item) {
    check_pieces(item);
    sink_.begin(item.entry, data_of(item));
    try {
      std::uint64_t at = 0;
      for (const auto& piece : item.pieces) {
        ctx_.check_stop();
        if (piece.chunk) {
          rate_.spend(ctx_, piece.length);
          sink_.write(at, pieces_.read(ctx_, piece));
          counts_.bytes += piece.length;
        }
        at += piece.length;
        progress_.done += piece.length;
      }
    } catch (const Error&) {
      sink_.spoil();
      throw;
    }
    sink_.end();
  }

  const Context& ctx_;
  const AreaExport& what_;
  EntrySink& sink_;
  Progress& progress_;
  PieceReader pieces_, listing_;
  RateLimit rate_;
  ExportCounts counts_;
  std::map<std::string, std::string> outside_;  // files beyond `path`, and where the first name of each is now
};

}  // namespace

ExportCounts export_area(const Context& ctx, const Repository& repository, const Index& index, const AreaExport& what,
                         EntrySink& sink, Progress& progress) {
  return Export(ctx, repository, index, what, sink, progress).run();
}

void read_area_file(const Context& ctx, const Repository& repository, const Index& index, const AreaTree& tree,
                    const AreaItem& item, const std::function<void(base::ByteView)>& take) {
  check_pieces(item);
  PieceReader pieces(repository, index, tree);
  const base::Bytes zeroes(64U << 10);
  for (const auto& piece : item.pieces) {
    ctx.check_stop();
    if (piece.chunk) take(pieces.read(ctx, piece));
    for (std::uint64_t left = piece.chunk ? 0 : piece.length; left > 0;) {
      const auto part =
          base::ByteView(zeroes).first(static_cast<std::size_t>(std::min<std::uint64_t>(left, zeroes.size())));
      take(part);
      left -= part.size();
    }
  }
}

}  // namespace muster::backup
