// An inventory file before an edit: what it says and where, and what another text says otherwise. Internal to
// inventory/. Not thread-safe.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/context.h"
#include "inventory/content.h"
#include "inventory/entry_check.h"
#include "inventory/entry_places.h"
#include "yaml/syntax.h"

namespace muster::inventory {

class EditedFile {
 public:
  // Both must live as long as this. Throws base::Error{usage} for a text that does not load; an empty one does here.
  EditedFile(const std::string& text, const std::string& name, Dialect dialect);

  EditedFile(const EditedFile&) = delete;
  EditedFile& operator=(const EditedFile&) = delete;

  const std::string& text() const { return text_; }
  const std::string& name() const { return name_; }
  const Inventory::Content& content() const { return *content_; }
  const yaml::SyntaxNode& root() const { return root_; }
  const EntryPlaces& places() const { return places_; }
  yaml::Schema schema() const;

  // Why `text` is not this with `change`; nothing where it is.
  std::optional<std::string> difference(const std::string& text, const InventoryChange& change) const;

 private:
  const std::string& text_;
  const std::string& name_;
  base::Context ctx_;
  std::unique_ptr<Inventory::Content> content_;
  yaml::SyntaxNode root_;
  EntryPlaces places_;
};

}  // namespace muster::inventory
