#include "yaml/syntax.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/text.h"
#include "yaml/event_reader.h"

namespace muster::yaml {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

using base::continues_character;

// libyaml counts characters. Its marks are near one another, so that going from the one before costs little.
class ByteOffsets {
 public:
  explicit ByteOffsets(std::string_view text) : text_(text) {}

  std::size_t of(const yaml_mark_t& mark) {
    for (; character_ < mark.index && byte_ < text_.size(); ++character_) {
      ++byte_;
      while (byte_ < text_.size() && continues_character(text_[byte_])) ++byte_;
    }
    for (; character_ > mark.index; --character_) {
      --byte_;
      while (byte_ > 0 && continues_character(text_[byte_])) --byte_;
    }
    return byte_;
  }

 private:
  std::string_view text_;
  std::size_t character_ = 0;
  std::size_t byte_ = 0;
};

std::string text_of(const yaml_char_t* text) {
  return text == nullptr ? std::string() : std::string(reinterpret_cast<const char*>(text));
}

class Builder {
 public:
  Builder(std::string_view text, const std::string& file, const Limits& limits)
      : text_(text), file_(file), limits_(limits), reader_(text, file), offsets_(text) {}
  SyntaxNode build();

 private:
  SyntaxNode read(const yaml_event_t& event, std::size_t depth);
  void read_scalar(SyntaxNode& node, const yaml_event_t& event) const;
  void read_children(SyntaxNode& node, yaml_event_type_t last, std::size_t depth);
  std::size_t end_of_block_scalar(const SyntaxNode& node) const;
  void check_limits(std::size_t depth, Position at);
  [[noreturn]] void fail(Position at, const std::string& text) const {
    throw base::Error(base::Code::usage, located(file_, at, text));
  }

  std::string_view text_;
  const std::string& file_;
  const Limits& limits_;
  EventReader reader_;
  ByteOffsets offsets_;
  std::size_t nodes_ = 0;
};

SyntaxNode Builder::build() {
  reader_.next();  // the stream's start
  if (reader_.next().type == YAML_STREAM_END_EVENT) return {};
  SyntaxNode root = read(reader_.next(), 1);
  reader_.next();  // the document's end
  const yaml_event_t& after = reader_.next();
  if (after.type != YAML_STREAM_END_EVENT)
    fail(position_of(after.start_mark), "a second document begins here; put each document in a file of its own");
  return root;
}

void Builder::check_limits(std::size_t depth, Position at) {
  if (depth > limits_.max_depth)
    fail(at, "nested deeper than " + std::to_string(limits_.max_depth) + " levels; write it flatter");
  if (++nodes_ > limits_.max_nodes)
    fail(at, "the document has more than " + std::to_string(limits_.max_nodes) + " nodes; split it");
}

SyntaxNode Builder::read(const yaml_event_t& event, std::size_t depth) {
  SyntaxNode node;
  node.at = position_of(event.start_mark);
  check_limits(depth, node.at);
  node.begin = offsets_.of(event.start_mark);
  node.end = offsets_.of(event.end_mark);
  switch (event.type) {
    case YAML_ALIAS_EVENT:
      node.kind = SyntaxNode::Kind::alias;
      node.anchor = text_of(event.data.alias.anchor);
      break;
    case YAML_SEQUENCE_START_EVENT:
      node.kind = SyntaxNode::Kind::sequence;
      node.flow = event.data.sequence_start.style == YAML_FLOW_SEQUENCE_STYLE;
      node.has_tag = event.data.sequence_start.tag != nullptr;
      node.anchor = text_of(event.data.sequence_start.anchor);
      read_children(node, YAML_SEQUENCE_END_EVENT, depth);
      break;
    case YAML_MAPPING_START_EVENT:
      node.kind = SyntaxNode::Kind::mapping;
      node.flow = event.data.mapping_start.style == YAML_FLOW_MAPPING_STYLE;
      node.has_tag = event.data.mapping_start.tag != nullptr;
      node.anchor = text_of(event.data.mapping_start.anchor);
      read_children(node, YAML_MAPPING_END_EVENT, depth);
      break;
    default:
      read_scalar(node, event);
  }
  return node;
}

void Builder::read_scalar(SyntaxNode& node, const yaml_event_t& event) const {
  const auto& scalar = event.data.scalar;
  node.plain = scalar.style == YAML_PLAIN_SCALAR_STYLE;
  node.literal = scalar.style == YAML_LITERAL_SCALAR_STYLE || scalar.style == YAML_FOLDED_SCALAR_STYLE;
  node.has_tag = scalar.tag != nullptr;
  node.anchor = text_of(scalar.anchor);
  node.text.assign(reinterpret_cast<const char*>(scalar.value), scalar.length);
  if (node.literal) node.end = end_of_block_scalar(node);
}

// libyaml's end is the beginning of the line that is no part of it, or of the blank one before.
std::size_t Builder::end_of_block_scalar(const SyntaxNode& node) const {
  const std::string_view written = text_.substr(node.begin, node.end - node.begin);
  const std::string_view header = written.substr(0, written.find_first_of("\r\n"));
  const std::string_view indicators = header.substr(std::min(header.size(), header.find_first_of("|>")));
  if (indicators.substr(0, indicators.find_first_of(" \t#")).find('+') == std::string_view::npos)
    return node.begin + written.find_last_not_of(" \t\r\n") + 1;
  std::size_t end = written.size();
  if (written.ends_with('\n')) --end;
  if (written.substr(0, end).ends_with('\r')) --end;
  return node.begin + end;
}

void Builder::read_children(SyntaxNode& node, yaml_event_type_t last, std::size_t depth) {
  const yaml_event_t* event = &reader_.next();
  for (; event->type != last; event = &reader_.next()) node.children.push_back(read(*event, depth + 1));
  if (node.flow)
    node.end = offsets_.of(event->end_mark);
  else if (!node.children.empty())
    node.end = node.children.back().end;
}

void shift(SyntaxNode& node, std::size_t bytes) {
  node.begin += bytes;
  node.end += bytes;
  for (auto& child : node.children) shift(child, bytes);
}

}  // namespace

SyntaxNode parse_syntax(std::string_view text, const std::string& file, const Limits& limits) {
  check_encoding(text, file, limits);
  if (!text.starts_with(kByteOrderMark)) return Builder(text, file, limits).build();
  SyntaxNode root = Builder(text.substr(kByteOrderMark.size()), file, limits).build();
  shift(root, kByteOrderMark.size());
  return root;
}

}  // namespace muster::yaml
