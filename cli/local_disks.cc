#include "cli/disk_access.h"

namespace muster::cli {
namespace {

using base::Context;

class LocalDisks : public DiskAccess {
 public:
  void check(const VmTarget& target) const override { check_is_on_this_host(target); }
  std::string directory_of(const Context&, const Running&) const override { return ""; }
  void remove_scratch(const Context&, const std::string&, const std::string&) const override {}
  Socket reach(const Context&, const std::string& socket) const override { return {.path = socket}; }
  disk::ImageFacts facts(const Context& ctx, const std::string& path, disk::ImageFormat format) const override {
    return disk::image_facts(ctx, path, format);
  }
  OpenedImage open(const Context& ctx, const std::string& path, disk::ImageFormat format) const override {
    return open_image_of(ctx, path, format);
  }
  OpenedImage open_recorded(const Context& ctx, const std::string& path, const std::string& bitmap) const override {
    OpenedImage image;
    auto tracked = disk::open_tracked_image(ctx, path, bitmap);
    image.reader = std::move(tracked.reader);
    image.source = {
        .disk = "", .source = path, .format = "qcow2", .reader = image.reader.get(), .dirty = tracked.changed};
    return image;
  }
  void check_unwritten(const Context&, const OpenedImage&) const override {}  // it is locked
};

}  // namespace

std::shared_ptr<const DiskAccess> local_disks() { return std::make_shared<LocalDisks>(); }

}  // namespace muster::cli
