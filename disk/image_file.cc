#include "disk/image_file.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>

#include <nlohmann/json.hpp>
#include <unistd.h>

#include "base/bytes.h"
#include "base/error.h"
#include "disk/disk_file.h"
#include "disk/qemu_program.h"

namespace muster::disk {
namespace {

using base::Code;
using base::Error;
using nlohmann::json;

// docs/interop/qcow2.txt of QEMU: all versions begin with it.
constexpr std::chrono::minutes kTidyPatience{10};  // it reads all tables
constexpr std::string_view kMagic{"QFI\xfb", 4};

bool has_magic(const std::string& path, const DiskFile& file) {
  std::array<char, kMagic.size()> first{};
  ssize_t got = 0;
  do got = ::pread(file.fd.get(), first.data(), first.size(), 0);
  while (got < 0 && errno == EINTR);
  if (got < 0) base::throw_errno("read " + path);
  return std::string_view(first.data(), static_cast<std::size_t>(got)) == kMagic;
}

ImageFormat format_of_file(const std::string& path, bool magic) {
  const std::string extension = std::filesystem::path(path).extension();
  if (extension == ".raw" || extension == ".img") return ImageFormat::raw;
  const bool named_qcow2 = extension == ".qcow2" || extension == ".qcow";
  if (named_qcow2 && !magic) throw Error(Code::usage, path + " is no qcow2 image, by what it begins with");
  if (!named_qcow2 && magic)
    throw Error(Code::usage,
                path + " begins as a qcow2 image, which a guest can write into a raw disk: say its format");
  return named_qcow2 ? ImageFormat::qcow2 : ImageFormat::raw;
}

// What qemu-img says, as far as it says so.
class Told {
 public:
  Told(const std::string& path, const std::string& text) : path_(path), all_(json::parse(text, nullptr, false)) {
    if (!all_.is_array() || all_.empty()) fail();
  }

  std::size_t count() const { return all_.size(); }
  std::uint64_t number(std::size_t image, const char* key) const {
    const auto value = optional(image, key);
    if (!value.is_number_unsigned()) fail();
    return value.get<std::uint64_t>();
  }
  std::string text(std::size_t image, const char* key) const {
    const auto value = optional(image, key);
    if (!value.is_string()) fail();
    return value.get<std::string>();
  }
  bool has(std::size_t image, const char* key) const { return !optional(image, key).is_null(); }
  bool has_bitmaps(std::size_t image) const { return !detail(image, "bitmaps").empty(); }
  // Of its format; null where it has none such.
  json detail(std::size_t image, const std::string& key) const {
    const json::json_pointer place("/" + std::to_string(image) + "/format-specific/data/" + key);
    return all_.contains(place) ? all_[place] : json();
  }
  std::size_t snapshots() const { return optional(0, "snapshots").size(); }
  std::vector<ImageBitmap> bitmaps() const {
    std::vector<ImageBitmap> all;
    for (const auto& bitmap : detail(0, "bitmaps")) {
      if (!bitmap.is_object() || !bitmap.value("name", json()).is_string()) fail();
      const auto has_flag = [flags = bitmap.value("flags", json::array())](const char* flag) {
        return std::find(flags.begin(), flags.end(), flag) != flags.end();
      };
      all.push_back({.name = bitmap.value("name", ""), .records = has_flag("auto"), .in_use = has_flag("in-use")});
    }
    return all;
  }

 private:
  json optional(std::size_t image, const char* key) const {
    return all_[image].is_object() ? all_[image].value(key, json()) : json();
  }
  [[noreturn]] void fail() const {
    throw Error(Code::corrupt, "look at " + path_ + ": what qemu-img says is not understood");
  }

  const std::string& path_;
  const json all_;
};

}  // namespace

const char* name_of(ImageFormat format) { return format == ImageFormat::raw ? "raw" : "qcow2"; }

std::optional<ImageFormat> image_format_named(std::string_view name) {
  for (const auto format : {ImageFormat::raw, ImageFormat::qcow2})
    if (name == name_of(format)) return format;
  return std::nullopt;
}

ImageFormat image_format_of(const std::string& path, std::optional<ImageFormat> told) {
  const DiskFile file = open_disk_file(path, Access::read);
  if (told) return *told;
  if (file.kind == FileKind::block_device) return ImageFormat::raw;
  return format_of_file(path, has_magic(path, file));
}

std::vector<std::string> image_facts_command(const std::string& path, ImageFormat format) {
  return {"qemu-img",      "info", "--output=json", "--backing-chain",
          "--force-share", "-f",   name_of(format), path_for_qemu(path)};
}

ImageFacts image_facts(const base::Context& ctx, const std::string& path, ImageFormat format) {
  return read_image_facts(path, format, run_qemu_program(ctx, "look at " + path, image_facts_command(path, format)));
}

ImageFacts read_image_facts(const std::string& path, ImageFormat format, const std::string& text) {
  const Told told(path, text);
  ImageFacts facts{.format = format,
                   .virtual_size_bytes = told.number(0, "virtual-size"),
                   .allocated_bytes = told.has(0, "actual-size") ? told.number(0, "actual-size") : 0};
  facts.bitmaps = told.bitmaps();
  for (std::size_t i = 1; i < told.count(); ++i) facts.bitmaps_below = facts.bitmaps_below || told.has_bitmaps(i);
  facts.snapshots = told.snapshots();
  for (std::size_t i = 1; i < told.count(); ++i)
    facts.largest_below_bytes = std::max(facts.largest_below_bytes, told.number(i, "virtual-size"));
  facts.keeps_bitmaps = told.detail(0, "compat") == "1.1";
  for (std::size_t i = 0; i < told.count(); ++i)
    facts.data_apart = facts.data_apart || told.detail(i, "data-file").is_string();
  for (std::size_t i = 1; i < told.count(); ++i)
    facts.backing_chain.push_back({.path = told.text(i, "filename"),
                                   .format = told.text(i, "format"),
                                   .format_recorded = told.has(i - 1, "backing-filename-format")});
  return facts;
}

void drop_bitmap(const base::Context& ctx, const std::string& path, const std::string& bitmap) {
  run_qemu_program(ctx, "drop bitmap " + bitmap + " of " + path,
                   {"qemu-img", "bitmap", "--remove", "-f", "qcow2", path_for_qemu(path), bitmap});
}

void drop_leaks(const base::Context& ctx, const std::string& path) {
  run_qemu_program(ctx, "tidy " + path, {"qemu-img", "check", "-q", "-r", "leaks", "-f", "qcow2", path_for_qemu(path)},
                   {.patience = kTidyPatience});
}

void check_backing_formats(const std::string& path, const ImageFacts& facts) {
  std::string above = path;
  for (const auto& backing : facts.backing_chain) {
    if (!backing.format_recorded && backing.format != "raw")
      throw Error(Code::refused, above + " does not record the format of its backing file " + backing.path +
                                     ", which may be a guest's raw disk that begins as if it were " + backing.format +
                                     ": write `qemu-img rebase -u -F FORMAT -b BACKING IMAGE` with the right one");
    above = backing.path;
  }
}

}  // namespace muster::disk
