#include "yaml/document.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <optional>
#include <unordered_map>

#include "base/error.h"
#include "base/unique_fd.h"
#include "yaml/event_reader.h"

namespace muster::yaml {
namespace {

using base::Code;
using base::Error;
using Entries = std::vector<Entry>;

constexpr std::string_view kCoreTagPrefix = "tag:yaml.org,2002:";

std::string text_of(const unsigned char* text, std::size_t length) {
  return text == nullptr ? std::string() : std::string(reinterpret_cast<const char*>(text), length);
}

std::string text_of(const unsigned char* text) {
  return text == nullptr ? std::string() : std::string(reinterpret_cast<const char*>(text));
}

struct Extent {
  std::size_t nodes = 1;
  std::size_t height = 1;
};

Extent measure(const Node& node) {
  Extent extent;
  const auto add = [&](const Node& child) {
    const Extent below = measure(child);
    extent.nodes += below.nodes;
    extent.height = std::max(extent.height, below.height + 1);
  };
  for (const auto& item : node.items) add(item);
  for (const auto& [key, value] : node.entries) {
    add(key);
    add(value);
  }
  return extent;
}

class Builder {
 public:
  Builder(std::string_view text, const std::string& file, const ParseOptions& options)
      : reader_(text, file), options_(options) {
    document_.file = file;
  }
  Document build();

 private:
  struct Anchor {
    std::optional<Node> node;  // nothing while the node is being read: an alias to it would contain itself
    Extent extent;
  };

  Node read(const yaml_event_t& event, std::size_t depth);
  Node read_alias(const yaml_event_t& event, std::size_t depth);
  static Node read_scalar(const yaml_event_t& event);
  Node read_sequence(std::size_t depth);
  Node read_mapping(std::size_t depth);
  Node read_key(const yaml_event_t& event, std::size_t depth);

  void count(std::size_t nodes, Position at);
  void check_depth(std::size_t depth, Position at) const;
  void check_tag(const Node& node) const;
  Entries without_duplicates(Entries entries);
  Entries merged(Entries entries);
  void gather(Node value, Entries& into) const;
  [[noreturn]] void fail(Position at, const std::string& text) const {
    throw Error(Code::usage, located(document_.file, at, text));
  }

  EventReader reader_;
  const ParseOptions& options_;
  Document document_;
  std::unordered_map<std::string, Anchor> anchors_;
  std::size_t nodes_ = 0;
};

Document Builder::build() {
  reader_.next();  // the stream's start
  if (reader_.next().type == YAML_STREAM_END_EVENT) return std::move(document_);
  document_.root = read(reader_.next(), 1);
  reader_.next();  // the document's end
  const yaml_event_t& after = reader_.next();
  if (after.type != YAML_STREAM_END_EVENT)
    fail(position_of(after.start_mark), "a second document begins here; put each document in a file of its own");
  return std::move(document_);
}

void Builder::count(std::size_t nodes, Position at) {
  nodes_ += nodes;
  if (nodes_ > options_.limits.max_nodes)
    fail(at, "the document has more than " + std::to_string(options_.limits.max_nodes) +
                 " nodes, those that aliases repeat included; split it, or use fewer aliases");
}

void Builder::check_depth(std::size_t depth, Position at) const {
  if (depth > options_.limits.max_depth)
    fail(at, "nested deeper than " + std::to_string(options_.limits.max_depth) + " levels; write it flatter");
}

Node Builder::read(const yaml_event_t& event, std::size_t depth) {
  const Position at = position_of(event.start_mark);
  check_depth(depth, at);
  if (event.type == YAML_ALIAS_EVENT) return read_alias(event, depth);
  count(1, at);
  std::string anchor, tag;
  Node node;
  if (event.type == YAML_SCALAR_EVENT) {
    anchor = text_of(event.data.scalar.anchor);
    tag = text_of(event.data.scalar.tag);
    node = read_scalar(event);
  } else if (event.type == YAML_SEQUENCE_START_EVENT) {
    anchor = text_of(event.data.sequence_start.anchor);
    tag = text_of(event.data.sequence_start.tag);
    if (!anchor.empty()) anchors_[anchor] = {};
    node = read_sequence(depth);
  } else {
    anchor = text_of(event.data.mapping_start.anchor);
    tag = text_of(event.data.mapping_start.tag);
    if (!anchor.empty()) anchors_[anchor] = {};
    node = read_mapping(depth);
  }
  node.at = at;
  node.tag = std::move(tag);
  if (!node.tag.empty()) check_tag(node);
  if (!anchor.empty()) {
    const Extent extent = measure(node);
    count(extent.nodes, at);
    anchors_[anchor] = {.node = node, .extent = extent};
  }
  return node;
}

Node Builder::read_alias(const yaml_event_t& event, std::size_t depth) {
  const Position at = position_of(event.start_mark);
  const std::string name = text_of(event.data.alias.anchor);
  const auto found = anchors_.find(name);
  if (found == anchors_.end()) fail(at, "alias *" + name + " has no anchor; write &" + name + " before it");
  if (!found->second.node) fail(at, "alias *" + name + " stands inside what it names; write the value out");
  check_depth(depth + found->second.extent.height - 1, at);
  count(found->second.extent.nodes, at);
  return *found->second.node;
}

Node Builder::read_scalar(const yaml_event_t& event) {
  Node node;
  node.plain = event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
  node.text = text_of(event.data.scalar.value, event.data.scalar.length);
  return node;
}

Node Builder::read_sequence(std::size_t depth) {
  Node node;
  node.kind = Node::Kind::sequence;
  for (const yaml_event_t* event = &reader_.next(); event->type != YAML_SEQUENCE_END_EVENT; event = &reader_.next())
    node.items.push_back(read(*event, depth + 1));
  return node;
}

Node Builder::read_key(const yaml_event_t& event, std::size_t depth) {
  const Position at = position_of(event.start_mark);
  Node key = read(event, depth);
  if (!key.is_scalar())
    fail(at, "a key must be text, not a list or mapping; put a value that begins with '{' or '[' in quotes");
  return key;
}

Node Builder::read_mapping(std::size_t depth) {
  Node node;
  node.kind = Node::Kind::mapping;
  for (const yaml_event_t* event = &reader_.next(); event->type != YAML_MAPPING_END_EVENT; event = &reader_.next()) {
    Node key = read_key(*event, depth + 1);
    Node value = read(reader_.next(), depth + 1);
    node.entries.push_back({.key = std::move(key), .value = std::move(value)});
  }
  node.entries = merged(std::move(node.entries));
  return node;
}

void Builder::check_tag(const Node& node) const {
  static constexpr std::array<std::string_view, 7> kScalars = {"str",  "int",       "float", "bool",
                                                               "null", "timestamp", "merge"};
  if (node.tag == "!" || node.tag == "!unsafe") return;
  if (node.tag == "!vault" || node.tag == "!vault-encrypted")
    fail(node.at, node.tag + " values cannot be decrypted here; keep secrets in a key agent or in a plain file");
  if (std::string_view(node.tag).starts_with(kCoreTagPrefix)) {
    const std::string_view name = std::string_view(node.tag).substr(kCoreTagPrefix.size());
    const bool fits = node.is_scalar()    ? std::find(kScalars.begin(), kScalars.end(), name) != kScalars.end()
                      : node.is_mapping() ? name == "map"
                                          : name == "seq";
    if (fits) return;
    fail(node.at, "tag !!" + std::string(name) + " cannot stand here; leave it out");
  }
  fail(node.at, "unknown tag " + node.tag + "; leave it out, or put text that begins with '!' in quotes");
}

bool is_merge(const Node& key) {
  return (key.plain && key.tag.empty() && key.text == "<<") || key.tag == "tag:yaml.org,2002:merge";
}

// Entries by key: the place of the first, the value of the last, as a dictionary that is assigned to.
class KeyedEntries {
 public:
  // The entry that was there before, as it was, or nothing.
  std::optional<Position> put(Entry entry) {
    const auto [place, fresh] = index_.try_emplace(entry.key.text, entries_.size());
    if (fresh) {
      entries_.push_back(std::move(entry));
      return std::nullopt;
    }
    const Position before = entries_[place->second].key.at;
    entries_[place->second] = std::move(entry);
    return before;
  }
  Entries take() { return std::move(entries_); }

 private:
  Entries entries_;
  std::unordered_map<std::string, std::size_t> index_;
};

// Most mappings are small: comparing each with each is faster than hashing there.
bool surely_unique(const Entries& entries) {
  if (entries.size() > 8) return false;
  for (auto one = entries.begin(); one != entries.end(); ++one)
    for (auto other = std::next(one); other != entries.end(); ++other)
      if (one->key.text == other->key.text) return false;
  return true;
}

Entries Builder::without_duplicates(Entries entries) {
  if (surely_unique(entries)) return entries;
  KeyedEntries unique;
  for (auto& entry : entries) {
    const Position at = entry.key.at;
    const std::string key = entry.key.text;
    const auto before = unique.put(std::move(entry));
    if (!before) continue;
    const std::string what = "key '" + key + "' is written twice in one mapping, first on line " +
                             std::to_string(before->line) + " column " + std::to_string(before->column);
    if (options_.duplicate_keys == DuplicateKeys::are_errors) fail(at, what + "; merge the two or remove one");
    document_.warnings.push_back(located(document_.file, at, what + "; the last one is taken"));
  }
  return unique.take();
}

void Builder::gather(Node value, Entries& into) const {
  if (!value.is_mapping())
    fail(value.at, "<< merges mappings only; give it an alias of a mapping, or a list of such aliases");
  std::move(value.entries.begin(), value.entries.end(), std::back_inserter(into));
}

// What is written in the mapping itself wins over what `<<` brings; in a list after `<<` the earlier wins.
Entries Builder::merged(Entries entries) {
  const auto first =
      std::stable_partition(entries.begin(), entries.end(), [](const auto& e) { return !is_merge(e.key); });
  Entries merges(std::make_move_iterator(first), std::make_move_iterator(entries.end()));
  entries.erase(first, entries.end());
  if (merges.empty()) return without_duplicates(std::move(entries));
  if (merges.size() > 1 && options_.duplicate_keys == DuplicateKeys::are_errors)
    fail(merges[1].key.at, "<< is written twice in one mapping; write one with a list: << : [*a, *b]");
  Entries brought;
  for (auto& [key, value] : merges) {
    if (!value.is_sequence()) {
      gather(std::move(value), brought);
      continue;
    }
    for (auto item = value.items.rbegin(); item != value.items.rend(); ++item) gather(std::move(*item), brought);
  }
  KeyedEntries all;
  for (auto& entry : brought) all.put(std::move(entry));
  for (auto& entry : without_duplicates(std::move(entries))) all.put(std::move(entry));
  return all.take();
}

}  // namespace

bool Node::is_null() const {
  if (!is_scalar() || !plain || (!tag.empty() && tag != "tag:yaml.org,2002:null")) return false;
  return text.empty() || text == "~" || text == "null" || text == "Null" || text == "NULL";
}

const Node* Node::find(std::string_view key) const {
  for (const auto& [name, value] : entries)
    if (name.text == key) return &value;
  return nullptr;
}

std::string located(const std::string& file, Position at, std::string_view text) {
  std::string line = file;
  if (at.line != 0) line += ":" + std::to_string(at.line) + ":" + std::to_string(at.column);
  return line.append(": ").append(text);
}

Document parse(std::string_view text, const std::string& file, const ParseOptions& options) {
  check_encoding(text, file, options.limits);
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  return Builder(text, file, options).build();
}

Document parse_file(const std::string& path, const ParseOptions& options) {
  std::string text;
  try {
    text = base::read_file(path, options.limits.max_bytes);
  } catch (const Error& error) {
    throw Error(Code::usage, error.what());
  }
  return parse(text, path, options);
}

}  // namespace muster::yaml
