#include "base/bounded_queue.h"

#include <atomic>
#include <thread>

#include <gtest/gtest.h>

namespace muster::base {
namespace {

// Pushes 1, 2, 3 ... up to `last`, and says how far it is.
struct Writer {
  Writer(BoundedQueue<int>& queue, int last)
      : thread([this, &queue, last] {
          for (int i = 1; i <= last && queue.push(i); ++i) pushed = i;
          ended = true;
        }) {}
  void wait_until(int count) const {
    while (pushed < count) std::this_thread::yield();
  }

  std::atomic<int> pushed = 0;
  std::atomic<bool> ended = false;
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

TEST(BoundedQueue, AWriterOfAFullOneWaitsUntilHalfIsGone) {
  BoundedQueue<int> queue(8);
  const Writer writer(queue, 20);
  writer.wait_until(8);
  for (int i = 1; i <= 3; ++i) EXPECT_EQ(queue.pop(), i);
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_EQ(writer.pushed, 8) << "five of eight are there";
  EXPECT_EQ(queue.pop(), 4);
  writer.wait_until(12);
  for (int i = 5; i <= 20; ++i) EXPECT_EQ(queue.pop(), i);
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
  const Writer writer(queue, 20);
  writer.wait_until(4);
  queue.abandon();
  EXPECT_EQ(queue.pop(), std::nullopt);
  while (!writer.ended) std::this_thread::yield();
  EXPECT_EQ(writer.pushed, 4);
}

}  // namespace
}  // namespace muster::base
