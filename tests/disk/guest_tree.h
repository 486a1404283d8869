// File systems made of a tree of files by e2fsprogs, alone or in partitions, for tests of what looks into them.
#pragma once

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "tests/disk/support.h"

namespace muster::disk {

#define MUSTER_NEEDS_GUEST_FILES()     \
  MUSTER_NEEDS("qemu-storage-daemon"); \
  MUSTER_NEEDS("nbdkit");              \
  MUSTER_NEEDS("mke2fs");              \
  if (!std::filesystem::exists("/dev/fuse")) GTEST_SKIP() << "there is no /dev/fuse"

class GuestTreeTest : public DiskTest {
 protected:
  GuestTreeTest() {
    std::filesystem::create_directories(tree("etc"));
    std::filesystem::create_directories(dir / "tmp");
  }
  // Of the programs' own temporary directory.
  void TearDown() override { EXPECT_TRUE(std::filesystem::is_empty(dir / "tmp")) << "something was left"; }

  std::string tree(const std::string& path) const { return dir / ("tree/" + path); }
  void put(const std::string& path, const std::string& text) const {
    std::filesystem::create_directories(std::filesystem::path(tree(path)).parent_path());
    std::ofstream(tree(path), std::ios::binary) << text;
  }
  void link(const std::string& target, const std::string& path) const {
    std::filesystem::create_symlink(target, tree(path));
  }

  // A file system of what is in the tree.
  std::string make_ext(const std::string& name, const std::string& type = "ext4",
                       const std::string& size = "48M") const {
    run_well({"mke2fs", "-q", "-F", "-t", type, "-d", tree(""), dir / name, size});
    return dir / name;
  }
  void debugfs(const std::string& image, const std::string& command) const {
    run_well({"debugfs", "-w", "-R", command, image});
  }

  struct Part {
    std::string image;  // empty: nothing in it
    std::uint64_t size_mib = 0;
  };
  // A disk with these partitions, from 1 on.
  std::string make_disk(const std::string& name, const std::vector<Part>& parts) const {
    std::string table = "label: gpt\nfirst-lba: 34\n";
    std::uint64_t start = 1;
    for (const auto& part : parts) {
      table += "start=" + std::to_string(start * 2048) + ", size=" + std::to_string(part.size_mib * 2048) + "\n";
      start += part.size_mib;
    }
    make_sparse(dir / name, (start + 1) * MiB, {});
    write_file(dir / "table", base::as_bytes(table));
    run_well({"sh", "-c", "sfdisk -q \"$1\" <\"$2\"", "sh", dir / name, dir / "table"});
    start = 1;
    for (const auto& part : parts) {
      if (!part.image.empty())
        run_well({"dd", "if=" + part.image, "of=" + (dir / name), "bs=1M", "seek=" + std::to_string(start),
                  "conv=notrunc,sparse", "status=none"});
      start += part.size_mib;
    }
    return dir / name;
  }
};

}  // namespace muster::disk
