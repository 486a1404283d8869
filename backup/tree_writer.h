// Files of an area into a directory. Nothing is ever made outside of it: directories are entered one by one, by
// descriptor, and no symbolic link is followed, whoever put it there, before or meanwhile. What is in the way is
// replaced, but for directories that are not empty. One thread's.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "backup/entry_sink.h"
#include "base/context.h"
#include "base/unique_fd.h"

namespace muster::backup {

class TreeWriter : public EntrySink {
 public:
  // What could not be restored of files that are there otherwise.
  struct Lacks {
    std::uint64_t owners = 0;      // that this user may not give
    std::uint64_t devices = 0;     // that this user may not make; these are not there at all
    std::uint64_t attributes = 0;  // that the file system or this user cannot have
  };

  // `directory` is there. Throws Error{not_found, io}.
  explicit TreeWriter(const std::string& directory);
  ~TreeWriter() override;

  void begin(const archive::Entry& entry, const std::vector<archive::Extent>& data) override;
  void write(std::uint64_t offset, base::ByteView bytes) override;
  void end() override;
  void spoil() override;
  // After the last: directories get their times. Throws Error{io}.
  void finish();
  const Lacks& lacks() const { return lacks_; }

 private:
  struct Level {
    std::string name;
    base::UniqueFd fd;
    std::optional<archive::Entry> entry{};  // of one that was restored: what it becomes at the end
  };
  enum class Missing { is_made, is_an_error };
  base::UniqueFd enter(int parent, const std::string& name, Missing missing) const;
  int parent_of(const std::string& path);
  void leave(std::size_t depth);
  void make_directory(const archive::Entry& entry);
  void make_file(const archive::Entry& entry);
  void make_link(const archive::Entry& entry);
  void make_node(const archive::Entry& entry);
  void make_symlink(const archive::Entry& entry);
  void clear_the_way(int parent, const std::string& name);
  void apply(int fd, const archive::Entry& entry);
  void apply_to_node(const archive::Entry& entry);
  bool give_owner(int fd, const archive::Entry& entry);
  void put_in_place();

  std::vector<Level> levels_;  // the first is the directory itself
  archive::Entry entry_;       // at hand
  int parent_ = -1;            // its directory, of levels_
  std::string name_, made_as_;
  base::UniqueFd file_;
  Lacks lacks_;
};

}  // namespace muster::backup
