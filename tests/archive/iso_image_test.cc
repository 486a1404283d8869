// What is written is read back by another program, bsdtar, and by hand where ISO 9660 (ECMA-119) and Joliet say.
#include "archive/iso_image.h"

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <optional>

#include <gtest/gtest.h>

#include "base/error.h"

namespace muster::archive {
namespace {

constexpr std::int64_t kNoon = 1'700'000'000;
constexpr std::size_t kSector = 2048;

const std::vector<IsoFile> kSeed = {{"meta-data", "instance-id: web01\n"},
                                    {"user-data", "#cloud-config\n"},
                                    {"network-config", std::string(5000, 'n')}};

TEST(IsoImage, BeginsWithItsVolumeDescriptors) {
  const std::string image = iso_image("cidata", kSeed, kNoon);
  ASSERT_GT(image.size(), 20 * kSector);
  EXPECT_EQ(image.size() % kSector, 0U);
  const std::string primary = image.substr(16 * kSector, kSector);
  EXPECT_EQ(primary.substr(0, 6),
            "\x01"
            "CD001");
  // ISO 9660 itself has upper case alone; readers look the label up in either.
  std::string label = primary.substr(40, 6);
  for (char& c : label) c = static_cast<char>(std::tolower(c));
  EXPECT_EQ(label, "cidata");
  EXPECT_EQ(primary[46], ' ');
  const std::string joliet = image.substr(17 * kSector, kSector);
  EXPECT_EQ(joliet.substr(0, 6),
            "\x02"
            "CD001");
  EXPECT_EQ(joliet.substr(40, 12), std::string("\0c\0i\0d\0a\0t\0a", 12));
}

TEST(IsoImage, IsReadBackWhole) {
  const auto directory = std::filesystem::path(testing::TempDir()) / ("iso-" + std::to_string(::getpid()));
  std::filesystem::create_directories(directory);
  const auto file = directory / "seed.iso";
  std::ofstream(file, std::ios::binary) << iso_image("cidata", kSeed, kNoon);
  const int status = std::system(("bsdtar -xf " + file.string() + " -C " + directory.string()).c_str());
  if (WEXITSTATUS(status) == 127) GTEST_SKIP() << "bsdtar is not installed";
  ASSERT_EQ(status, 0);
  for (const auto& [name, bytes] : kSeed) {
    std::ifstream stream(directory / name, std::ios::binary);
    EXPECT_EQ(std::string(std::istreambuf_iterator<char>(stream), {}), bytes) << name;
  }
  std::filesystem::remove_all(directory);
}

std::optional<base::Code> code_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const base::Error& e) {
    return e.code();
  }
  return std::nullopt;
}

TEST(IsoImage, RefusesWhatItIsNotFor) {
  using base::Code;
  EXPECT_EQ(code_of([] { iso_image("", kSeed, kNoon); }), Code::usage);
  EXPECT_EQ(code_of([] { iso_image(std::string(33, 'x'), kSeed, kNoon); }), Code::usage);
  EXPECT_EQ(code_of([] { iso_image("a,iso9660:boot=x", kSeed, kNoon); }), Code::usage);
  EXPECT_EQ(code_of([] { iso_image("x", {{"a/b", ""}}, kNoon); }), Code::usage);
  EXPECT_EQ(code_of([] { iso_image("x", {{"a", std::string(kMaxIsoBytes + 1, 'x')}}, kNoon); }), Code::usage);
}

}  // namespace
}  // namespace muster::archive
