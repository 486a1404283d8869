// Events of libvirt's test driver, which come through the same event loop as any other's.
#include "virt/events.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "virt/lifecycle.h"

namespace muster::virt {
namespace {

using namespace std::chrono_literals;

struct Events : testing::Test {
  std::stop_source source;
  base::Context ctx{.stop = source.get_token()};
  Connection connection{"test:///default"};
  Domain domain = connection.domain("test");
};

TEST_F(Events, ComeInOrderWithTheirReason) {
  EventWatch watch(connection);
  pause(domain);
  resume(domain);
  power_off(domain);
  for (const auto& [what, detail] :
       {std::pair("suspended", "paused"), std::pair("resumed", "unpaused"), std::pair("stopped", "destroyed")}) {
    const auto event = watch.next(ctx, 60s);
    ASSERT_TRUE(event) << what;
    EXPECT_EQ(event->domain, "test");
    EXPECT_EQ(event->uuid, domain.uuid());
    EXPECT_EQ(event->kind, "lifecycle");
    EXPECT_EQ(event->what, what);
    EXPECT_EQ(event->detail, detail);
  }
  EXPECT_FALSE(watch.next(ctx, 1ms));
  EXPECT_EQ(watch.dropped(), 0U);
}

TEST_F(Events, AreOverWithTheWatch) {
  { const EventWatch watch(connection); }
  pause(domain);
  EventWatch watch(connection);
  resume(domain);
  EXPECT_EQ(watch.next(ctx, 60s)->what, "resumed");
}

TEST_F(Events, AStopEndsTheWait) {
  EventWatch watch(connection);
  source.request_stop();
  try {
    watch.next(ctx, 60s);
    FAIL();
  } catch (const base::Error& e) {
    EXPECT_EQ(e.code(), base::Code::cancelled);
  }
}

}  // namespace
}  // namespace muster::virt
