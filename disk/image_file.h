// Image files: which format one has, and what qemu-img says of it. Any thread; blocks on the file system.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/context.h"

namespace muster::disk {

enum class ImageFormat { raw, qcow2 };

// `raw`, `qcow2`.
const char* name_of(ImageFormat format);
std::optional<ImageFormat> image_format_named(std::string_view name);

// What an image is read as. A guest can write a qcow2 header into its raw disk, and name any file of the host as
// backing file in it; so what is in a file never makes a format, at most an error:
//   - `told` is taken as it is;
//   - block devices, and names that end in .raw or .img, are raw, whatever they hold;
//   - names that end in .qcow2 or .qcow are qcow2, and Error{usage} without its magic;
//   - any other name is raw, and Error{usage} with the magic of qcow2: the format has to be told.
// Throws Error{not_found, io}, and Error{usage} for what is no file or block device.
ImageFormat image_format_of(const std::string& path, std::optional<ImageFormat> told);

struct BackingFile {
  std::string path;
  std::string format;  // of any that QEMU knows
  // The image above says which; else QEMU guesses by what is in the file.
  bool format_recorded = false;
};

// A dirty bitmap that a qcow2 image keeps (https://gitlab.com/qemu-project/qemu/-/blob/master/docs/interop/qcow2.txt).
struct ImageBitmap {
  std::string name;
  bool records = false;  // whoever opens the image to write goes on recording
  bool in_use = false;   // a process has it, or was killed with it: what it says is worth nothing
};

struct ImageFacts {
  ImageFormat format = ImageFormat::raw;
  std::uint64_t virtual_size_bytes = 0;
  std::uint64_t allocated_bytes = 0;         // of the image itself, on its file system
  std::vector<BackingFile> backing_chain{};  // the image's own backing file first
  std::vector<ImageBitmap> bitmaps{};        // of the image itself
  bool bitmaps_below = false;                // an image below it keeps some, too
  bool keeps_bitmaps = false;                // qcow2 of version 3
  // The data of it, or of one below it, are in a file of their own (`data_file`): what opens that writes past the
  // image.
  bool data_apart = false;
  std::size_t snapshots = 0;              // inside the image itself
  std::uint64_t largest_below_bytes = 0;  // virtual size of the largest in its backing chain
};

// Also of an image that is in use, which may change meanwhile. Runs qemu-img. Throws Error{unsupported} where that is
// not installed, Error{io} for what is no such image or lacks a backing file, Error{corrupt}, Error{timeout,
// cancelled}.
ImageFacts image_facts(const base::Context& ctx, const std::string& path, ImageFormat format);
// The two halves of it, for where qemu-img runs on another host: its command, and what it wrote.
std::vector<std::string> image_facts_command(const std::string& path, ImageFormat format);
ImageFacts read_image_facts(const std::string& path, ImageFormat format, const std::string& text);

// From an image that nobody has open. Throws Error{busy, io}, and the rest of image_facts().
void drop_bitmap(const base::Context& ctx, const std::string& path, const std::string& bitmap);

// Gives back what a writer that was killed left in a qcow2 image's file without a use. Nobody has it open. Throws as
// drop_bitmap().
void drop_leaks(const base::Context& ctx, const std::string& path);

// Throws Error{refused} where the format of a backing file is nothing but a guess of QEMU, and not raw.
void check_backing_formats(const std::string& path, const ImageFacts& facts);

}  // namespace muster::disk
