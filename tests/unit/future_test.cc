#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pgqrs/error.h>
#include <pgqrs/future.h>

#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "support/throws.h"

namespace pgqrs::testing {
namespace {

using internal::FutureState;
using ::testing::AllOf;
using ::testing::HasSubstr;

template <typename T>
std::shared_ptr<FutureState<T>> NewState(internal::Executor* executor = nullptr) {
  return std::make_shared<FutureState<T>>(executor);
}

std::exception_ptr AnError() { return std::make_exception_ptr(TimeoutError("too late")); }

// Keeps callbacks until it is told to run them.
class ManualExecutor final : public internal::Executor {
 public:
  void Post(std::function<void()> callback) override { waiting_.push_back(std::move(callback)); }
  void RunAll() {
    for (auto& callback : std::exchange(waiting_, {})) callback();
  }
  std::size_t size() const { return waiting_.size(); }

 private:
  std::vector<std::function<void()>> waiting_;
};

TEST(Future, GetGivesTheValueOnce) {
  auto state = NewState<std::string>();
  Future<std::string> future(state);
  EXPECT_FALSE(future.IsReady());
  state->Set("value");
  EXPECT_TRUE(future.IsReady());
  EXPECT_EQ(future.Get(), "value");
  EXPECT_FALSE(future.IsValid());
}

TEST(Future, GetThrowsTheError) {
  auto state = NewState<int>();
  Future<int> future(state);
  state->Fail(AnError());
  EXPECT_EQ(MessageOf<TimeoutError>([&] { future.Get(); }), "too late");
  EXPECT_FALSE(future.IsValid());
}

TEST(Future, VoidFuturesFinishAndFailToo) {
  auto done = NewState<void>();
  done->Set();
  EXPECT_NO_THROW(Future<void>(done).Get());
  auto failed = NewState<void>();
  failed->Fail(AnError());
  EXPECT_THROW(Future<void>(failed).Get(), TimeoutError);
}

TEST(Future, CarriesWhatCanOnlyBeMoved) {
  auto state = NewState<std::unique_ptr<int>>();
  state->Set(std::make_unique<int>(5));
  EXPECT_EQ(*Future<std::unique_ptr<int>>(state).Get(), 5);
}

TEST(Future, OffersTheResultOnTheCompletingThreadFirst) {
  ManualExecutor executor;
  auto state = NewState<int>(&executor);
  std::optional<Future<int>> taken;
  std::thread::id thread;
  Future<int>(state).Offer(
      [&](Future<int>& done) {
        thread = std::this_thread::get_id();
        taken = std::move(done);
        return true;
      },
      [](Future<int>) { ADD_FAILURE() << "it was taken"; });
  EXPECT_FALSE(taken);
  std::thread completes([&] { state->Set(5); });
  const auto completing = completes.get_id();
  completes.join();
  EXPECT_EQ(thread, completing);
  EXPECT_EQ(executor.size(), 0U);
  ASSERT_TRUE(taken);
  EXPECT_EQ(taken->Get(), 5);
}

TEST(Future, GivesTheCallbackWhatWasOfferedInVain) {
  ManualExecutor executor;
  auto state = NewState<int>(&executor);
  int offers = 0;
  int value = 0;
  Future<int>(state).Offer(
      [&](Future<int>& done) {
        EXPECT_TRUE(done.IsReady());
        ++offers;
        return false;
      },
      [&](Future<int> done) { value = done.Get(); });
  state->Set(5);
  EXPECT_EQ(offers, 1);
  EXPECT_EQ(value, 0);
  executor.RunAll();
  EXPECT_EQ(offers, 1);
  EXPECT_EQ(value, 5);
}

TEST(Future, OffersAtOnceWhatIsThereAlready) {
  for (const bool takes : {true, false}) {
    auto state = NewState<int>();
    state->Fail(AnError());
    std::string error;
    const auto note = [&](Future<int>& done) {
      error = MessageOf<TimeoutError>([&] { done.Get(); });
    };
    Future<int> future(state);
    future.Offer(
        [&](Future<int>& done) {
          if (takes) note(done);
          return takes;
        },
        [&](Future<int> done) { note(done); });
    EXPECT_FALSE(future.IsValid());
    EXPECT_EQ(error, "too late");
    EXPECT_EQ(state.use_count(), 1) << "nothing keeps it";
  }
}

TEST(Future, WaitLeavesTheResult) {
  auto state = NewState<int>();
  Future<int> future(state);
  std::thread completes([&] { state->Set(5); });
  future.Wait();
  EXPECT_TRUE(future.IsValid());
  EXPECT_EQ(future.Get(), 5);
  completes.join();
}

TEST(Future, GetWaitsForAnotherThread) {
  for (int i = 0; i < 50; ++i) {
    auto state = NewState<int>();
    std::thread completes([state, i] { state->Set(i); });
    EXPECT_EQ(Future<int>(state).Get(), i);
    completes.join();
  }
}

TEST(Then, RunsOnTheExecutorWhereTheResultComesLater) {
  ManualExecutor executor;
  auto state = NewState<int>(&executor);
  int got = 0;
  auto next = Future<int>(state).Then([&](Future<int> done) { got = done.Get(); });
  state->Set(5);
  EXPECT_EQ(got, 0);
  executor.RunAll();
  EXPECT_EQ(got, 5);
  EXPECT_TRUE(next.IsReady());
}

TEST(Then, RunsAtOnceWhereTheResultIsThere) {
  ManualExecutor executor;
  auto state = NewState<int>(&executor);
  state->Set(5);
  EXPECT_EQ(Future<int>(state).Then([](Future<int> done) { return done.Get() + 1; }).Get(), 6);
  EXPECT_EQ(executor.size(), 0U);
}

TEST(Then, GivesTheErrorToTheCallback) {
  auto state = NewState<int>();
  std::string why;
  auto next = Future<int>(state).Then(
      [&](Future<int> done) { why = MessageOf<TimeoutError>([&] { done.Get(); }); });
  state->Fail(AnError());
  next.Get();
  EXPECT_EQ(why, "too late");
}

TEST(Then, WhatTheCallbackThrowsIsTheErrorOfTheNextFuture) {
  auto state = NewState<int>();
  auto next = Future<int>(state).Then([](Future<int>) -> int { throw std::runtime_error("mine"); });
  state->Set(5);
  EXPECT_EQ(MessageOf<std::runtime_error>([&] { next.Get(); }), "mine");
}

TEST(Then, CanBeChained) {
  auto state = NewState<int>();
  auto end = Future<int>(state)
                 .Then([](Future<int> done) { return std::to_string(done.Get()); })
                 .Then([](Future<std::string> done) { return done.Get() + "!"; });
  state->Set(5);
  EXPECT_EQ(end.Get(), "5!");
}

TEST(Then, IsCalledOnceWhoeverIsFirst) {
  for (int i = 0; i < 50; ++i) {
    auto state = NewState<int>();
    std::atomic<int> calls = 0;
    std::thread completes([state] { state->Set(5); });
    auto next = Future<int>(state).Then([&](Future<int> done) { calls += done.Get(); });
    next.Get();
    completes.join();
    EXPECT_EQ(calls, 5);
  }
}

TEST(Then, TheCallbackIsReleasedOnceItHasRun) {
  auto state = NewState<int>();
  auto held = std::make_shared<int>();
  auto next = Future<int>(state).Then([held](Future<int>) {});
  EXPECT_EQ(held.use_count(), 2);
  state->Set(5);
  next.Get();
  EXPECT_EQ(held.use_count(), 1);
}

// NOLINTBEGIN(bugprone-use-after-move): what is tested.
TEST(Future, WhatWasTakenOrMovedFromThrows) {
  auto state = NewState<int>();
  state->Set(5);
  Future<int> taken(state);
  taken.Get();
  Future<int> called_back(state);
  called_back.Then([](Future<int>) {});
  Future<int> awaited(state);
  static_cast<void>(std::move(awaited).operator co_await());
  Future<int> moved(state);
  const auto other = std::move(moved);
  for (auto* future : {&taken, &called_back, &awaited, &moved}) {
    EXPECT_FALSE(future->IsValid());
    const auto expect_error = [](const char* call, const std::function<void()>& made) {
      EXPECT_THAT(MessageOf<Error>(made),
                  AllOf(HasSubstr(call), HasSubstr("after its result had been taken")));
    };
    expect_error("IsReady", [&] { future->IsReady(); });
    expect_error("Wait", [&] { future->Wait(); });
    expect_error("Get", [&] { future->Get(); });
    expect_error("Then", [&] { future->Then([](Future<int>) {}); });
    expect_error("co_await", [&] { static_cast<void>(future->operator co_await()); });
  }
  EXPECT_TRUE(other.IsReady());
}
// NOLINTEND(bugprone-use-after-move)

TEST(Future, ADroppedFutureLeavesTheCallAlone) {
  auto state = NewState<int>();
  { const Future<int> dropped(state); }
  EXPECT_NO_THROW(state->Set(5));
  EXPECT_TRUE(state->IsReady());
}

Future<int> AddOne(std::shared_ptr<FutureState<int>> state) {
  const int value = co_await Future<int>(std::move(state));
  co_return value + 1;
}

Future<void> Discard(std::shared_ptr<FutureState<int>> state) {
  co_await Future<int>(std::move(state));
}

TEST(Coroutine, GoesOnWithTheValueOnTheExecutor) {
  ManualExecutor executor;
  auto state = NewState<int>(&executor);
  auto future = AddOne(state);
  state->Set(5);
  EXPECT_FALSE(future.IsReady());
  executor.RunAll();
  EXPECT_EQ(future.Get(), 6);
}

TEST(Coroutine, DoesNotStopWhereTheResultIsThere) {
  auto state = NewState<int>();
  state->Set(5);
  EXPECT_EQ(AddOne(state).Get(), 6);
}

// A future whose result comes just after the coroutine has looked for it.
class ReadyInBetween {
 public:
  bool await_ready() {
    const bool is_ready = future_.await_ready();
    state_->Set(1);
    return is_ready;
  }
  auto await_suspend(std::coroutine_handle<> coroutine) { return future_.await_suspend(coroutine); }
  int await_resume() { return future_.await_resume(); }

 private:
  std::shared_ptr<FutureState<int>> state_ = NewState<int>();
  Future<int>::Awaiter future_{state_};
};

Future<int> AwaitMany(int n) {
  int sum = 0;
  for (int i = 0; i < n; ++i) sum += co_await ReadyInBetween();
  co_return sum;
}

TEST(Coroutine, DoesNotNestWhereTheResultComesJustAfterItHasLooked) {
  // So many nested calls would overflow any stack.
  EXPECT_EQ(AwaitMany(1'000'000).Get(), 1'000'000);
}

TEST(Coroutine, AnErrorIsThrownInsideAndComesOutOfItsFuture) {
  auto state = NewState<int>();
  auto future = Discard(state);
  state->Fail(AnError());
  EXPECT_THROW(future.Get(), TimeoutError);
}

TEST(Coroutine, ItsFrameEndsWithIt) {
  for (int i = 0; i < 50; ++i) {
    auto state = NewState<int>();
    std::thread completes([state] { state->Set(5); });
    EXPECT_NO_THROW(Discard(state).Get());
    completes.join();
    EXPECT_EQ(state.use_count(), 1);
  }
}

}  // namespace
}  // namespace pgqrs::testing
