// A guest's files for what gives it an identity: read, changed and removed by their paths. Not thread-safe.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/context.h"
#include "disk/guest_root.h"

namespace muster::clone {

// Of files that root alone may read.
inline constexpr disk::GuestOwner kSecret{.mode = 0600};

class GuestTree {
 public:
  // Both outlive it.
  GuestTree(const base::Context& ctx, disk::GuestRoot& root) : ctx_(ctx), root_(root) {}

  std::vector<std::string> names_in(const std::string& directory) { return root_.names_in(ctx_, directory); }
  // Those that a pattern of the shell's matches, and whose names can be written.
  std::vector<std::string> matching(const std::string& directory, const char* pattern);
  bool holds(const std::string& directory, std::string_view name);
  std::optional<std::string> read(const std::string& path) { return root_.read(ctx_, path); }

  void write(const std::string& path, std::string_view content, const disk::GuestOwner& fresh = {}) {
    root_.write(ctx_, path, content, fresh);
  }
  // Nothing where it says that already.
  void change(const std::string& path, const std::string& before, const std::string& after) {
    if (before != after) write(path, after);
  }
  void make_directory(const std::string& path, const disk::GuestOwner& fresh) {
    root_.make_directory(ctx_, path, fresh);
  }
  // Files and links; directories stay.
  void forget(const std::string& directory, const char* pattern);

  void warn(const std::string& text) { ctx_.warn(text); }

 private:
  const base::Context& ctx_;
  disk::GuestRoot& root_;
};

}  // namespace muster::clone
