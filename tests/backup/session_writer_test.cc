#include "backup/session_writer.h"

#include <future>

#include "backup/object_names.h"
#include "tests/backup/support.h"
#include "tests/fakes/fault_storage.h"

namespace muster::backup {
namespace {

using fakes::Operation;

class SessionWriterTest : public testing::Test {
 protected:
  // Records of about 5 KB, so that two of them make a pack.
  static constexpr std::size_t kRecordBytes = 8000;
  static constexpr SessionWriter::Limits kLimits{.pack_bytes = 8000, .table_entries = 1000};

  SessionWriterTest()
      : repository_(open_as(storage_, make_repository(memory_))), index_(Index::load({}, *repository_)) {}

  static bool is_pack(const Operation& operation) {
    return operation.kind == Operation::Kind::put_new && operation.name.starts_with("packs/");
  }
  std::size_t packs() const { return list_packs({}, memory_).size(); }

  // Adds chunk `number`.
  static void add(SessionWriter& writer, RecordSealer& sealer, unsigned number) {
    const auto bytes = test_bytes(kRecordBytes, number);
    const ChunkId id = sealer.id_of(RecordKind::chunk, bytes);
    ASSERT_TRUE(writer.claim(RecordKind::chunk, id));
    writer.add(sealer.seal(RecordKind::chunk, id, bytes));
  }

  mutable fakes::MemoryStorage memory_;
  std::shared_ptr<fakes::FaultStorage> storage_ = std::make_shared<fakes::FaultStorage>(memory_);
  std::unique_ptr<Repository> repository_;
  std::shared_ptr<const Index> index_;
};

TEST_F(SessionWriterTest, WhatIsAddedStandsInPacksAndInATable) {
  SessionWriter writer({}, *repository_, *index_, kLimits);
  RecordSealer sealer(writer.keys(), 1, 0);
  for (unsigned i = 0; i < 9; ++i) add(writer, sealer, i);
  writer.flush();
  EXPECT_EQ(packs(), 5U);
  EXPECT_EQ(writer.written().records, 9U);
  EXPECT_EQ(writer.written().chunk_plain_bytes, 9 * kRecordBytes);
  const auto now = Index::load({}, *repository_);
  for (unsigned i = 0; i < 9; ++i)
    EXPECT_TRUE(now->may_rely_on({}, RecordKind::chunk, sealer.id_of(RecordKind::chunk, test_bytes(kRecordBytes, i))));
  EXPECT_FALSE(writer.claim(RecordKind::chunk, sealer.id_of(RecordKind::chunk, test_bytes(kRecordBytes, 3))));
}

TEST_F(SessionWriterTest, APackIsFilledWhileTheLastOneIsPutAndNoThird) {
  std::promise<void> release;
  storage_->before_each([&, released = release.get_future().share()](const Operation& operation) {
    if (is_pack(operation)) released.wait();
  });
  SessionWriter writer({}, *repository_, *index_, kLimits);
  RecordSealer sealer(writer.keys(), 1, 0);
  for (unsigned i = 0; i < 4; ++i) add(writer, sealer, i);  // nothing is put yet
  EXPECT_EQ(packs(), 0U);
  auto fifth = std::async(std::launch::async, [&] { add(writer, sealer, 4); });
  EXPECT_EQ(fifth.wait_for(std::chrono::milliseconds(50)), std::future_status::timeout) << "there is no room for it";
  release.set_value();
  fifth.get();
  writer.flush();
  EXPECT_EQ(packs(), 3U);
}

TEST_F(SessionWriterTest, WhatFailsReachesThoseWhoWaitAndThoseWhoCome) {
  std::promise<void> release;
  storage_->before_each([&, released = release.get_future().share()](const Operation& operation) {
    if (!is_pack(operation)) return;
    released.wait();
    throw base::Error(base::Code::no_space, "the storage is full");
  });
  SessionWriter writer({}, *repository_, *index_, kLimits);
  RecordSealer sealer(writer.keys(), 1, 0);
  for (unsigned i = 0; i < 4; ++i) add(writer, sealer, i);
  auto waiting = std::async(std::launch::async, [&] { add(writer, sealer, 4); });
  auto flushing = std::async(std::launch::async, [&] { writer.flush(); });
  EXPECT_EQ(waiting.wait_for(std::chrono::milliseconds(50)), std::future_status::timeout);
  release.set_value();
  EXPECT_THROW(waiting.get(), base::Error);
  EXPECT_THROW(flushing.get(), base::Error);
  EXPECT_THROW(add(writer, sealer, 5), base::Error);
  EXPECT_THROW(writer.flush(), base::Error);
  EXPECT_EQ(packs(), 0U);
}

}  // namespace
}  // namespace muster::backup
