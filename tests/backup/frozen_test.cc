// Repositories as earlier versions wrote them, one a format: whatever muster becomes, it reads them.
#include "backup/directory_storage.h"
#include "backup/labels.h"
#include "base/unique_fd.h"
#include "tests/backup/support.h"

namespace muster::backup {
namespace {

// What the image held on two days.
base::Bytes content(int day) {
  constexpr std::size_t kPiece = 65536;
  base::Bytes bytes(20 * kPiece + 1000);
  for (std::size_t i = 0; i < 3 * kPiece; ++i) bytes[i] = static_cast<std::byte>('a' + (i * i / 97 + i / kPiece) % 23);
  for (std::size_t i = 0; i < 5000; ++i) bytes[10 * kPiece + i] = static_cast<std::byte>(i * 7919 % 251);
  bytes.back() = std::byte{1};
  if (day == 2) {
    std::fill_n(bytes.begin() + kPiece, 100, std::byte{});
    std::fill_n(bytes.begin() + 15 * kPiece, 300, std::byte{7});
  }
  return bytes;
}

TEST(Frozen, Format1IsRead) {
  const std::string place = std::string(MUSTER_SOURCE_DIR) + "/tests/data/backup/format-1";
  const auto storage = std::make_shared<DirectoryStorage>(place + "/repo");
  const Unlocking unlocking{.key_file = parse_key_file(base::read_file(place + "/key", 4096), "key"),
                            .passphrase = std::nullopt,
                            .owner_secret = std::nullopt};
  const Repository repository = open_repository({}, storage, unlocking);
  EXPECT_EQ(repository.config().format, 1U);
  const auto points = list_points({}, repository);
  ASSERT_EQ(points.size(), 2U);
  EXPECT_EQ(restore(repository, points[0].point), content(1));
  EXPECT_EQ(restore(repository, points[1].point), content(2));
  EXPECT_EQ(points[1].point.sequence, 0U) << "came later, and is not asked for";
  EXPECT_EQ(points[1].point.parent, points[0].point.id);
  const auto labels = read_labels({}, repository);
  EXPECT_EQ(labels_of(points[0].point, labels).tags, std::set<std::string>{"first"});
  EXPECT_TRUE(labels_of(points[1].point, labels).pinned);
  expect_clean(repository);
}

}  // namespace
}  // namespace muster::backup
