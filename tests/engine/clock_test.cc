// A clock of the user that throws when the transaction is committed already: what happened is
// answered as such.
#include <atomic>
#include <stdexcept>
#include <thread>

#include "engine/engine_test.h"

namespace pgqrs::testing {
namespace {

using std::chrono::milliseconds;

class BrokenClock : public EngineTest {
 protected:
  BrokenClock() {
    config().fallback_poll_interval = milliseconds(5);
    config().clock = [is_broken = is_broken_, thrown = thrown_] {
      if (*is_broken) {
        // Of one type as well as of another.
        if (++*thrown % 2 == 0) throw 42;  // NOLINT(hicpp-exception-baseclass)
        throw std::runtime_error("the clock is broken");
      }
      return std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now());
    };
  }

  // From each commit on until the next transaction begins.
  void BreakAfterCommits() {
    faults().Set([is_broken = is_broken_](const Step& step) -> std::optional<driver::Fault> {
      *is_broken = step.moment == Moment::kCommitted;
      return std::nullopt;
    });
  }

  int thrown() const { return *thrown_; }

 private:
  std::shared_ptr<std::atomic<bool>> is_broken_ = std::make_shared<std::atomic<bool>>(false);
  std::shared_ptr<std::atomic<int>> thrown_ = std::make_shared<std::atomic<int>>(0);
};

TEST_F(BrokenClock, AnEnqueueThatWakesSomebodyIsAnswered) {
  auto queue = Open();
  auto wait = queue.DequeueWaitAsync(kForever);
  while (Metrics().waiting_consumers == 0) std::this_thread::yield();
  BreakAfterCommits();
  for (int i = 0; i < 4; ++i) {
    const auto id = queue.Enqueue(std::to_string(i));
    // The fallback poll finds it.
    auto message = wait.Get();
    ASSERT_TRUE(message);
    EXPECT_EQ(message->id(), id);
    wait = queue.DequeueWaitAsync(kForever);
    while (Metrics().waiting_consumers == 0) std::this_thread::yield();
  }
  EXPECT_GT(thrown(), 0);
  EXPECT_EQ(Metrics().failed_requests, 0U);
  faults().Clear();
  Close();
  EXPECT_FALSE(wait.Get());
}

TEST_F(BrokenClock, ADequeueThatWaitsForADelayedMessageGetsIt) {
  auto queue = Open();
  const auto id = queue.Enqueue("message", {.delay = milliseconds(50)});
  BreakAfterCommits();
  const auto message = queue.DequeueWait(kForever);
  ASSERT_TRUE(message);
  EXPECT_EQ(message->id(), id);
  EXPECT_GT(thrown(), 0) << "when it was parked";
}

}  // namespace
}  // namespace pgqrs::testing
