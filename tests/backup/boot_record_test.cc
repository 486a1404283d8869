// What came of booting restore points: the last word counts, of those whose word does, and it goes with its point.
#include "backup/boot_record.h"

#include "backup/forget.h"
#include "backup/prune.h"
#include "tests/backup/tenants.h"

namespace muster::backup {
namespace {

class BootRecordsTest : public Tenants {
 protected:
  static BootRecord record(bool booted) {
    BootRecord made{.time = std::chrono::sys_seconds(std::chrono::seconds(1'000'000'000)),
                    .booted = booted,
                    .wanted = "agent",
                    .reached = {{"firmware", std::chrono::milliseconds(400)}},
                    .duration = std::chrono::milliseconds(1500),
                    .hypervisor = "kvm1",
                    .tool = "test"};
    if (booted) made.reached.push_back({"agent", std::chrono::milliseconds(1400)});
    if (!booted) made.failure = "no agent answered";
    return made;
  }
  std::size_t objects() const {
    std::size_t count = 0;
    storage_->list({}, std::string(kBootsPrefix), [&](const StoredObject&) { ++count; });
    return count;
  }
  const RestorePoint point_ = back_up(*as_owner_, disk_, {.name = "web1"}).point;
};

TEST_F(BootRecordsTest, HoldsWhatWasReached) {
  BootRecord put = record(true);
  put.script_status = 0;
  put_boot_record({}, *as_owner_, point_.id, put);
  const auto records = read_boot_records({}, *as_owner_);
  const BootRecord* found = boot_record_of(point_, records);
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(found->time, put.time);
  EXPECT_TRUE(found->booted);
  EXPECT_EQ(found->wanted, "agent");
  ASSERT_EQ(found->reached.size(), 2U);
  EXPECT_EQ(found->reached[1].after, std::chrono::milliseconds(1400));
  EXPECT_EQ(found->reached_last(), "agent");
  EXPECT_EQ(found->script_status, 0);
  EXPECT_EQ(found->hypervisor, "kvm1");
  EXPECT_EQ(found->duration, std::chrono::milliseconds(1500));
  expect_clean(*as_owner_);
}

TEST_F(BootRecordsTest, TheLastOneCountsAndTheOnesBeforeGo) {
  EXPECT_EQ(boot_record_of(point_, read_boot_records({}, *as_owner_)), nullptr);
  put_boot_record({}, *as_owner_, point_.id, record(true));
  put_boot_record({}, *as_owner_, point_.id, record(false));
  const auto records = read_boot_records({}, *as_owner_);
  EXPECT_FALSE(boot_record_of(point_, records)->booted);
  EXPECT_EQ(boot_record_of(point_, records)->failure, "no agent answered");
  EXPECT_EQ(objects(), 1U);
}

TEST_F(BootRecordsTest, TheWordOfAnotherDomainDoesNotCount) {
  put_boot_record({}, *as_other_, point_.id, record(true));
  EXPECT_EQ(boot_record_of(point_, read_boot_records({}, *as_owner_)), nullptr);
  put_boot_record({}, *as_host_, point_.id, record(false));
  put_boot_record({}, *as_other_, point_.id, record(true));
  const auto records = read_boot_records({}, *as_owner_);
  EXPECT_EQ(boot_record_of(point_, records), nullptr) << "who may remove, may remove: it is unknown, and not good";
}

TEST_F(BootRecordsTest, OneThatWasChangedIsDamageAndIsPassedOver) {
  put_boot_record({}, *as_owner_, point_.id, record(true));
  std::string name;
  storage_->list({}, std::string(kBootsPrefix), [&](const StoredObject& object) { name = object.name; });
  base::Bytes bytes = get_all({}, *storage_, name, kMaxDocumentBytes);
  bytes[bytes.size() / 2] ^= std::byte{1};
  storage_->remove({}, name);
  put_new({}, *storage_, name, bytes);
  EXPECT_EQ(boot_record_of(point_, read_boot_records({}, *as_owner_)), nullptr);
  EXPECT_FALSE(check_all(*as_owner_).clean());
}

TEST_F(BootRecordsTest, ItGoesWithItsPoint) {
  put_boot_record({}, *as_owner_, point_.id, record(true));
  back_up(*as_owner_, disk_, {.name = "web1"});
  forget_points({}, *as_owner_, {point_.id});
  prune({}, *as_owner_, {});
  EXPECT_EQ(objects(), 0U);
  expect_clean(*as_owner_);
}

}  // namespace
}  // namespace muster::backup
