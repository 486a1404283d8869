#include "parallel-ssh/wait.h"

#include <thread>

#include <gtest/gtest.h>
#include <poll.h>

#include "parallel-ssh/admission.h"
#include "parallel-ssh/life_signs.h"
#include "tests/parallel-ssh/support.h"

namespace muster::ssh {
namespace {

using base::Clock;
using base::milliseconds;
using base::seconds;

constexpr seconds kLong{60};

bool readable(int fd) {
  pollfd p{.fd = fd, .events = POLLIN, .revents = 0};
  return ::poll(&p, 1, 0) == 1;
}

struct Cancelling : testing::Test {
  std::stop_source source;
  CancelSignal cancel{source.get_token()};
  base::Pipe pipe = base::make_pipe();

  Patience patience(milliseconds left = kLong) const { return {Clock::now() + left, &cancel}; }
  // Time for another thread to begin to wait, and for what must not happen to happen.
  void let_others_go_on() const {
    EXPECT_THROW(pause_until(Clock::now() + kLong, patience(milliseconds(50)), ""), base::Error);
  }
  // Ended by what the test did, not by its deadline.
  void TearDown() override { EXPECT_LT(Clock::now() - start, kLong / 2); }

  base::TimePoint start = Clock::now();
};

TEST_F(Cancelling, SignalBecomesReadableAndStaysSo) {
  EXPECT_FALSE(cancel.raised());
  EXPECT_FALSE(readable(cancel.fd()));
  source.request_stop();
  EXPECT_TRUE(cancel.raised());
  EXPECT_TRUE(readable(cancel.fd()));
  EXPECT_TRUE(readable(cancel.fd()));
  const CancelSignal late(source.get_token());
  EXPECT_TRUE(late.raised());
  EXPECT_TRUE(readable(late.fd()));
}

TEST_F(Cancelling, WaitReturnsWhatIsThere) {
  EXPECT_EQ(wait_for(pipe.write_end.get(), POLLOUT, patience(), "x"), POLLOUT);
  base::write_all(pipe.write_end.get(), "x");
  EXPECT_EQ(wait_for(pipe.read_end.get(), POLLIN, patience(milliseconds(0)), "x"), POLLIN);
}

TEST_F(Cancelling, WaitReturnsForAHangUpToo) {
  pipe.write_end.reset();
  EXPECT_NE(wait_for(pipe.read_end.get(), POLLIN, patience(), "x") & POLLHUP, 0);
}

TEST_F(Cancelling, WaitEndsAtItsDeadlineAndNotBefore) {
  const auto limit = patience(milliseconds(30));
  const auto failure = failure_of([&] { wait_for(pipe.read_end.get(), POLLIN, limit, "waiting for bytes"); });
  EXPECT_TRUE(failure.is(Code::timeout, "timed out waiting for bytes")) << failure;
  EXPECT_GE(Clock::now(), limit.deadline);
  EXPECT_EQ(limit.left(), milliseconds(0));
  EXPECT_GT(patience().left(), seconds(50));
}

TEST_F(Cancelling, CancelWakesAWait) {
  Failure failure;
  std::jthread waiter(
      [&] { failure = failure_of([&] { wait_for(pipe.read_end.get(), POLLIN, patience(), "reading"); }); });
  let_others_go_on();
  source.request_stop();
  waiter.join();
  EXPECT_TRUE(failure.is(Code::cancelled, "interrupted reading")) << failure;
}

TEST_F(Cancelling, CancelWinsOverWhatIsThere) {
  base::write_all(pipe.write_end.get(), "x");
  source.request_stop();
  EXPECT_EQ(failure_of([&] { wait_for(pipe.read_end.get(), POLLIN, patience(), "x"); }).code, Code::cancelled);
}

TEST_F(Cancelling, PauseLastsUntilItsTime) {
  const auto until = Clock::now() + milliseconds(20);
  pause_until(until, patience(), "x");
  EXPECT_GE(Clock::now(), until);
  pause_until(Clock::now() - seconds(1), patience(), "x");
}

TEST_F(Cancelling, PauseBeyondTheDeadlineTimesOutThere) {
  const auto failure =
      failure_of([&] { pause_until(Clock::now() + kLong, patience(milliseconds(20)), "waiting to try again"); });
  EXPECT_TRUE(failure.is(Code::timeout, "timed out waiting to try again")) << failure;
}

TEST_F(Cancelling, CancelWakesAPause) {
  Failure failure;
  std::jthread waiter([&] { failure = failure_of([&] { pause_until(Clock::now() + kLong, patience(), "pausing"); }); });
  let_others_go_on();
  source.request_stop();
  waiter.join();
  EXPECT_TRUE(failure.is(Code::cancelled, "interrupted pausing")) << failure;
}

// Enters an endpoint in a thread of its own and tells what came of it.
class Visitor {
 public:
  Visitor(Admission& admission, const std::string& endpoint, const CancelSignal& cancel)
      : thread_([&admission, endpoint, &cancel, this] {
          failure_ = failure_of([&] {
            const auto place = admission.enter(endpoint, cancel);
            entered_.request_stop();
          });
        }) {}
  bool entered() const { return entered_.stop_requested(); }
  Failure outcome() {
    thread_.join();
    return failure_;
  }

 private:
  std::stop_source entered_;
  Failure failure_;
  std::jthread thread_;
};

TEST_F(Cancelling, AdmissionLetsNoMoreInThanItsCap) {
  Admission admission(2);
  auto one = std::make_unique<Admission::Place>(admission.enter("a:22", cancel));
  const auto two = admission.enter("a:22", cancel);
  const auto elsewhere = admission.enter("b:22", cancel);
  Visitor third(admission, "a:22", cancel);
  let_others_go_on();
  EXPECT_FALSE(third.entered());
  one.reset();
  EXPECT_FALSE(third.outcome().code.has_value());
  EXPECT_TRUE(third.entered());
}

TEST_F(Cancelling, AMovedPlaceIsGivenBackOnce) {
  Admission admission(1);
  {
    auto first = admission.enter("a:22", cancel);
    const Admission::Place second(std::move(first));
  }
  const auto again = admission.enter("a:22", cancel);
  Visitor waiting(admission, "a:22", cancel);
  let_others_go_on();
  source.request_stop();
  EXPECT_EQ(waiting.outcome().code, Code::cancelled);  // given back twice, there would have been room
}

TEST_F(Cancelling, APenalisingEndpointIsLeftAloneFromThenOn) {
  Admission admission(1);
  {
    const auto inside = admission.enter("a:22", cancel);
    Visitor waiting(admission, "a:22", cancel);
    let_others_go_on();
    admission.penalised("a:22");
    const auto failure = waiting.outcome();
    EXPECT_TRUE(failure.is(Code::unreachable, "PerSourcePenalties")) << failure;
  }
  EXPECT_EQ(failure_of([&] { admission.enter("a:22", cancel); }).code, Code::unreachable);
  EXPECT_FALSE(failure_of([&] { admission.enter("b:22", cancel); }).code.has_value());
}

TEST_F(Cancelling, NobodyEntersOnceCancelled) {
  Admission admission(1);
  source.request_stop();
  EXPECT_EQ(failure_of([&] { admission.enter("a:22", cancel); }).code, Code::cancelled);
}

TEST(LifeSigns, AskNothingWhileThePeerIsHeard) {
  LifeSigns life(std::chrono::hours(1), 3);
  EXPECT_FALSE(life.question_due());
  EXPECT_FALSE(life.dead());
  EXPECT_GT(life.next(), Clock::now() + std::chrono::minutes(59));
}

TEST(LifeSigns, SoManyUnansweredQuestionsAreDeath) {
  LifeSigns life(milliseconds(0), 3);
  for (int question = 0; question < 3; ++question) {
    EXPECT_FALSE(life.dead());
    EXPECT_TRUE(life.question_due());
  }
  EXPECT_TRUE(life.dead());
  EXPECT_FALSE(life.question_due());
  life.heard();
  EXPECT_FALSE(life.dead());
  EXPECT_TRUE(life.question_due());
}

TEST(LifeSigns, OwnAbsenceIsNotThePeersSilence) {
  LifeSigns life(milliseconds(10), 2);
  const std::stop_source never;
  const CancelSignal cancel(never.get_token());
  pause_until(Clock::now() + milliseconds(50), {Clock::now() + kLong, &cancel}, "");  // five intervals away
  const auto before = Clock::now();
  EXPECT_TRUE(life.question_due());
  EXPECT_GE(life.next(), before + milliseconds(10));  // and a whole interval for its answer
  EXPECT_FALSE(life.dead());
}

}  // namespace
}  // namespace muster::ssh
