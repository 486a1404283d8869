#include "base/bounded_queue.h"

#include <atomic>
#include <future>
#include <thread>

#include <gtest/gtest.h>

namespace muster::base {
namespace {

// Pushes 1, 2, 3 ... up to `last`, and says how far it is.
struct Writer {
  Writer(BoundedQueue<int>& queue, int last)
      : thread([this, &queue, last] {
          for (int i = 1; i <= last && queue.push(i); ++i) pushed = i;
          ended.set_value();
        }) {}

  std::atomic<int> pushed = 0;
  std::promise<void> ended;
  std::jthread thread;
};

TEST(BoundedQueue, KeepsTheOrder) {
  BoundedQueue<int> queue(100);
  for (int i = 1; i <= 50; ++i) EXPECT_TRUE(queue.push(i));
  queue.close();
  for (int i = 1; i <= 50; ++i) EXPECT_EQ(queue.pop(), i);
  EXPECT_EQ(queue.pop(), std::nullopt);
  EXPECT_FALSE(queue.push(51));
}

TEST(BoundedQueue, HoldsNoMoreThanItsLimit) {
  BoundedQueue<int> queue(8);
  const Writer writer(queue, 10'000);
  for (int i = 1; i <= 10'000; ++i) {
    ASSERT_LE(writer.pushed, i - 1 + 8);
    ASSERT_EQ(queue.pop(), i);
  }
}

TEST(BoundedQueue, AValueHeavierThanTheLimitIsTakenByAnEmptyOne) {
  BoundedQueue<int> queue(2);
  EXPECT_TRUE(queue.push(1, 5));
  std::atomic<bool> pushed = false;
  const std::jthread writer([&] { pushed = queue.push(2, 7); });
  EXPECT_EQ(queue.pop(), 1);
  EXPECT_EQ(queue.pop(), 2);
}

TEST(BoundedQueue, ALimitOfOneHandsOver) {
  BoundedQueue<int> queue(1);
  const Writer writer(queue, 1000);
  for (int i = 1; i <= 1000; ++i) ASSERT_EQ(queue.pop(), i);
}

TEST(BoundedQueue, AbandonedItDropsWhatItHoldsAndNobodyWaits) {
  BoundedQueue<int> queue(4);
  Writer writer(queue, 20);
  EXPECT_EQ(queue.pop(), 1);
  queue.abandon();
  EXPECT_EQ(queue.pop(), std::nullopt);
  EXPECT_EQ(writer.ended.get_future().wait_for(std::chrono::seconds(60)), std::future_status::ready);
  EXPECT_LE(writer.pushed, 5);
}

}  // namespace
}  // namespace muster::base
