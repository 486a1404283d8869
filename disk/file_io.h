// Reads and writes of a file at a place, in full, in steps between which a stop is seen. Thread-safe; block on the file
// system.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "base/bytes.h"
#include "base/context.h"

namespace muster::disk {

struct NamedFile {
  int fd;
  const std::string& name;  // for errors
};

// Fills `into` as far as the file goes. Returns how many bytes that were. Throws Error{io, cancelled}.
std::size_t read_file_at(const base::Context& ctx, NamedFile file, std::uint64_t offset, base::MutableBytes into);

// The kernel begins to write it to the disk at once, so that a sync finds most of it written already. Throws Error{io,
// no_space, cancelled}.
void write_file_at(const base::Context& ctx, NamedFile file, std::uint64_t offset, base::ByteView bytes);

}  // namespace muster::disk
