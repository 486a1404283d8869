#include "clone/clone_mark.h"

#include <charconv>

#include "base/error.h"

namespace muster::clone {
namespace {

constexpr const char* kClonePart = "clone";

}  // namespace

virt::MetadataElement to_metadata(const CloneMark& mark) {
  return {.name = kClonePart,
          .attributes = {{"uuid", mark.uuid},
                         {"master", mark.master},
                         {"generation", std::to_string(mark.generation)},
                         {"kind", name_of(mark.kind)},
                         {"since", mark.since}}};
}

std::optional<CloneMark> clone_mark(const virt::Domain& domain) {
  const auto part = virt::own_metadata_part(domain, kClonePart);
  if (!part) return std::nullopt;
  CloneMark mark{
      .uuid = part->attribute("uuid"), .master = part->attribute("master"), .since = part->attribute("since")};
  const std::string number = part->attribute("generation");
  std::from_chars(number.data(), number.data() + number.size(), mark.generation);
  try {
    mark.kind = clone_kind_named(part->attribute("kind"));
  } catch (const base::Error&) {
    mark.kind = CloneKind::full;  // a newer version's word: nothing is built on it that could be seen here
  }
  return mark;
}

}  // namespace muster::clone
