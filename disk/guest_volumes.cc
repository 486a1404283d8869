#include "disk/guest_volumes.h"

#include <map>
#include <sstream>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "disk/guest_program.h"

namespace muster::disk {
namespace {

using base::Code;
using base::Context;
using base::Error;
using nlohmann::json;

constexpr std::size_t kTableBytes = 1U << 20, kProbeBytes = 64U << 10;
constexpr std::size_t kMostPartitions = 256;
// What blkid exits with where it finds nothing, or more than one thing.
constexpr int kNothingFound = 2, kAmbivalent = 8;

// What blkid says of a range, as NAME=value.
std::map<std::string, std::string> probe(const Context& ctx, const GuestImage& image, ByteRange range) {
  const GuestProgram program{.action = "look for a file system in " + image.name(),
                             .argv = {"blkid", "-p", "-o", "export", "-O", std::to_string(range.offset), "-S",
                                      std::to_string(range.length), image.path()},
                             .package = "util-linux"};
  const auto output = run_guest_program(ctx, program, kProbeBytes);
  if (output.end.code == kNothingFound || output.end.code == kAmbivalent) return {};
  if (output.end.code != 0) throw Error(Code::io, program.action + ": " + output.end.complaint);
  std::map<std::string, std::string> values;
  std::istringstream lines(output.text);
  for (std::string line; std::getline(lines, line);)
    if (const std::size_t sign = line.find('='); sign != std::string::npos)
      values[line.substr(0, sign)] = line.substr(sign + 1);
  return values;
}

GuestVolume look(const Context& ctx, const GuestImage& image, unsigned number, ByteRange range) {
  auto values = probe(ctx, image, range);
  return {.number = number,
          .range = range,
          .type = values["TYPE"],
          .label = values["LABEL"],
          .has_files = values["USAGE"] == "filesystem"};
}

std::uint64_t number_of(const json& row, const char* field) {
  const auto found = row.find(field);
  if (found == row.end() || !found->is_number_unsigned()) throw Error(Code::corrupt, "a field is missing");
  return found->get<std::uint64_t>();
}

// sfdisk names partitions FILE1, FILE2.
unsigned number_in(const std::string& node, const std::string& path) {
  const std::string digits = node.starts_with(path) ? node.substr(path.size()) : "";
  if (digits.empty() || digits.size() > 4 || digits.find_first_not_of("0123456789") != std::string::npos)
    throw Error(Code::corrupt, "a partition has no number");
  return static_cast<unsigned>(std::stoul(digits));
}

struct Partition {
  unsigned number = 0;
  ByteRange range;
};

// Of DOS: a partition that is only there to hold others.
bool holds_partitions(const json& row) {
  const std::string type = row.value("type", "");
  return type == "5" || type == "f" || type == "85";
}

Partition partition_of(const json& row, const GuestImage& image, std::uint64_t sector_bytes) {
  const std::uint64_t start = number_of(row, "start"), sectors = number_of(row, "size");
  const std::uint64_t most = image.size_bytes() / sector_bytes;
  if (start >= most) throw Error(Code::corrupt, "a partition begins beyond the disk's end");
  return {number_in(row.value("node", ""), image.path()),
          {start * sector_bytes, std::min(sectors, most - start) * sector_bytes}};
}

std::vector<Partition> partitions_in(const json& table, const GuestImage& image) {
  const std::uint64_t sector_bytes = table.value("sectorsize", std::uint64_t{512});
  if (sector_bytes < 512 || sector_bytes > 65536) throw Error(Code::corrupt, "sectors have an impossible size");
  std::vector<Partition> partitions;
  for (const json& row : table.value("partitions", json::array()))
    if (!holds_partitions(row) && partitions.size() < kMostPartitions)
      partitions.push_back(partition_of(row, image, sector_bytes));
  return partitions;
}

// None where there is no table.
std::vector<Partition> read_table(const Context& ctx, const GuestImage& image) {
  const GuestProgram program{.action = "read the partition table of " + image.name(),
                             .argv = {"sfdisk", "--json", image.path()},
                             .package = "fdisk"};
  const auto output = run_guest_program(ctx, program, kTableBytes);
  if (output.end.code != 0) return {};
  try {
    return partitions_in(json::parse(output.text).at("partitiontable"), image);
  } catch (const json::exception&) {
    throw Error(Code::corrupt, program.action + ": sfdisk's answer makes no sense");
  } catch (const Error& e) {
    throw Error(e.code(), program.action + ": " + e.what());
  }
}

}  // namespace

std::vector<GuestVolume> find_guest_volumes(const Context& ctx, const GuestImage& image) {
  // First: the boot sector of some file systems looks like a table.
  const GuestVolume whole = look(ctx, image, 0, {0, image.size_bytes()});
  if (whole.has_files) return {whole};
  std::vector<GuestVolume> volumes;
  for (const auto& [number, range] : read_table(ctx, image)) volumes.push_back(look(ctx, image, number, range));
  if (volumes.empty() && !whole.type.empty()) return {whole};
  return volumes;
}

std::string name_of(const GuestImage& image, const GuestVolume& volume) {
  return volume.number == 0 ? image.name() : fmt::format("{}.{}", image.name(), volume.number);
}

std::string describe(const GuestImage& image, const GuestVolume& volume) {
  return fmt::format("{} ({}, {} MiB{}{})", name_of(image, volume), volume.type.empty() ? "unknown" : volume.type,
                     volume.range.length >> 20, volume.label.empty() ? "" : ", ", volume.label);
}

}  // namespace muster::disk
