#include "engine/timer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <vector>

namespace pgqrs::testing {
namespace {

using engine::Timer;
using ::testing::ElementsAre;
using Clock = std::chrono::steady_clock;

// An hour from now: never, as far as these tests go.
Timer::Time Never() { return Clock::now() + std::chrono::hours(1); }

// Waits until everything that is due by now has been called. Answers false where that takes
// minutes.
bool WaitForTimer(Timer& timer) {
  auto reached = std::make_shared<std::promise<void>>();
  timer.At(Clock::now(), [reached] { reached->set_value(); });
  return reached->get_future().wait_for(std::chrono::minutes(2)) == std::future_status::ready;
}

TEST(Timer, CallsAtTheTimeAndNotBefore) {
  Timer timer;
  std::promise<Clock::time_point> called;
  const auto time = Clock::now() + std::chrono::milliseconds(20);
  timer.At(time, [&] { called.set_value(Clock::now()); });
  EXPECT_GE(called.get_future().get(), time);
}

TEST(Timer, CallsInTheOrderOfTheTimesAndThenOfTheRequests) {
  Timer timer;
  std::vector<int> calls;
  const auto time = Clock::now() + std::chrono::milliseconds(20);
  timer.At(time, [&] { calls.push_back(2); });
  timer.At(time, [&] { calls.push_back(3); });
  timer.At(time - std::chrono::milliseconds(10), [&] { calls.push_back(1); });
  std::promise<void> done;
  timer.At(time, [&] { done.set_value(); });
  done.get_future().wait();
  EXPECT_THAT(calls, ElementsAre(1, 2, 3));
}

TEST(Timer, ATimeInThePastIsNow) {
  Timer timer;
  std::promise<void> called;
  timer.At(Timer::Time(), [&] { called.set_value(); });
  EXPECT_NO_THROW(called.get_future().get());
}

TEST(Timer, AnEarlierEntryComesFirstThoughTheThreadWaitsForALaterOne) {
  Timer timer;
  timer.At(Never(), [] { FAIL() << "an hour has not passed"; });
  EXPECT_TRUE(WaitForTimer(timer));
}

TEST(Timer, ACancelledEntryIsNotCalled) {
  Timer timer;
  std::atomic<int> calls = 0;
  const auto time = Clock::now() + std::chrono::milliseconds(20);
  const auto id = timer.At(time, [&] { ++calls; });
  std::promise<void> later;
  timer.At(time + std::chrono::milliseconds(1), [&] { later.set_value(); });
  timer.Cancel(id);
  later.get_future().wait();
  EXPECT_EQ(calls, 0);
}

TEST(Timer, CancellingWhatIsNotThereDoesNothing) {
  Timer timer;
  std::promise<void> called;
  const auto id = timer.At(Clock::now(), [&] { called.set_value(); });
  called.get_future().wait();
  timer.Cancel(id);
  timer.Cancel(Timer::Id());
  EXPECT_TRUE(WaitForTimer(timer));
}

TEST(Timer, AnActionMayAddAndCancelEntries) {
  Timer timer;
  std::promise<void> called;
  const auto never = timer.At(Never(), [] {});
  timer.At(Clock::now(), [&] {
    timer.Cancel(never);
    timer.At(Clock::now(), [&] { called.set_value(); });
  });
  EXPECT_NO_THROW(called.get_future().get());
}

TEST(Timer, StopDropsWhatWaitsAndWaitsForWhatRuns) {
  Timer timer;
  std::promise<void> started;
  std::atomic<bool> finished = false;
  timer.At(Clock::now(), [&] {
    started.set_value();
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    finished = true;
  });
  auto held = std::make_shared<int>();
  timer.At(Never(), [held] {});
  started.get_future().wait();
  timer.Stop();
  EXPECT_TRUE(finished);
  EXPECT_EQ(held.use_count(), 1);
}

TEST(Timer, AfterStopNothingIsCalled) {
  Timer timer;
  timer.Stop();
  auto held = std::make_shared<int>();
  timer.At(Clock::now(), [held] { FAIL(); });
  EXPECT_EQ(held.use_count(), 1);
  timer.Stop();
}

}  // namespace
}  // namespace pgqrs::testing
