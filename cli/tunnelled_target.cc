#include "cli/tunnelled_target.h"

#include <filesystem>

#include "base/error.h"
#include "cli/ssh_image.h"
#include "cli/ssh_tunnel.h"
#include "disk/nbd_disk.h"

namespace muster::cli {
namespace {

using backup::Before;
using base::Code;
using base::Context;
using base::Error;

// $1: the whole image, $2: its name, $3: its directory. Not over what has come to be meanwhile; where there are no
// links, looked at just before.
constexpr const char* kPublish =
    "ln -T -- \"$1\" \"$2\" 2>/dev/null && rm -- \"$1\" || { test ! -e \"$2\" && mv -T -- \"$1\" \"$2\"; } || exit\n"
    "sync -- \"$2\" \"$3\"";
constexpr const char* kKind = "stat -L --format=%F -- \"$1\" 2>/dev/null; true";
constexpr const char* kMake = "umask 077; exec qemu-img create -q -f \"$1\" -- \"$2\" \"$3\"";

class TunnelledTarget : public RestoreTarget {
 public:
  TunnelledTarget(const Context& ctx, const SshPlace& place, Wanted wanted)
      : RestoreTarget(std::move(wanted)), place_(place) {
    const std::string kind = kind_of(ctx, path());
    exists_ = !kind.empty();
    if (exists_ && !kind.starts_with("regular ") && !kind.starts_with("block special "))
      throw Error(Code::usage, place_.host + ":" + path() + " is no file or block device");
  }

  void open(const Context& ctx) override {
    if (exists_) return open_existing(ctx);
    if (resume(ctx)) return;
    output_of_script(ctx, place_, kMake, {disk::name_of(format_), partial(), std::to_string(whole_sectors())},
                     "make " + partial());
    serve(ctx, partial());
    before_ = Before::blank;
  }

  void finish(const Context& ctx) override {
    disk_.reset();
    if (exists_) return;
    const std::string directory = std::filesystem::path(path()).parent_path();
    try {
      output_of_script(ctx, place_, kPublish, {partial(), path(), directory}, "name " + path());
    } catch (const Error& e) {
      if (e.code() != Code::io || kind_of(ctx, path()).empty()) throw;
      throw Error(Code::refused,
                  path() + " has come to be meanwhile; what was restored is in " + partial() + ", on " + place_.host);
    }
  }

 private:
  std::string kind_of(const Context& ctx, const std::string& there) const {
    return output_of_script(ctx, place_, kKind, {there}, "look at " + there);
  }
  void serve(const Context& ctx, const std::string& there) {
    const auto image = serve_over_ssh(ctx, place_, there, format_, disk::Access::write);
    disk_ = disk::open_nbd_writer(ctx, image.uri, image.options);
  }

  void open_existing(const Context& ctx) {
    serve(ctx, path());
    before_ = wanted_.delta ? Before::similar : Before::unknown;
    const std::uint64_t there = disk_->size_bytes();
    if (there < wanted_.size_bytes) refuse_smaller(there);
    if (there != whole_sectors()) excess_bytes_ = there - wanted_.size_bytes;
  }

  // One of another disk or format is dropped: nobody else makes such names.
  bool resume(const Context& ctx) {
    if (kind_of(ctx, partial()).empty()) return false;
    try {
      serve(ctx, partial());
      before_ = Before::similar;
      if (disk_->size_bytes() == whole_sectors()) return true;
      disk_.reset();
    } catch (const Error& e) {
      if (e.code() != Code::io) throw;
    }
    output_of_script(ctx, place_, "exec rm -- \"$1\"", {partial()}, "remove " + partial());
    return false;
  }

  const SshPlace place_;
};

}  // namespace

std::unique_ptr<RestoreTarget> tunnelled_target(const Context& ctx, const SshPlace& place,
                                                RestoreTarget::Wanted wanted) {
  return std::make_unique<TunnelledTarget>(ctx, place, std::move(wanted));
}

}  // namespace muster::cli
