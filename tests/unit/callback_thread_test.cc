#include "engine/callback_thread.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

namespace pgqrs::testing {
namespace {

using engine::CallbackThread;
using ::testing::ElementsAre;

TEST(CallbackThread, RunsCallbacksInTheirOrderOnOneOtherThread) {
  std::vector<int> order;
  std::vector<std::thread::id> threads;
  {
    CallbackThread callbacks;
    for (int i = 0; i < 3; ++i) {
      callbacks.Post([&, i] {
        order.push_back(i);
        threads.push_back(std::this_thread::get_id());
      });
    }
  }
  EXPECT_THAT(order, ElementsAre(0, 1, 2));
  EXPECT_NE(threads[0], std::this_thread::get_id());
  EXPECT_THAT(threads, ::testing::Each(threads[0]));
}

TEST(CallbackThread, CloseRunsWhatWasPosted) {
  CallbackThread callbacks;
  std::promise<void> go_on;
  std::atomic<int> calls = 0;
  callbacks.Post([&] { go_on.get_future().wait(); });
  for (int i = 0; i < 10; ++i) callbacks.Post([&] { ++calls; });
  go_on.set_value();
  callbacks.Close();
  EXPECT_EQ(calls, 10);
}

TEST(CallbackThread, CloseWithoutACallbackReturns) {
  CallbackThread callbacks;
  callbacks.Close();
  EXPECT_FALSE(callbacks.IsThisThread());
}

TEST(CallbackThread, ACallbackMayPost) {
  std::atomic<int> calls = 0;
  {
    CallbackThread callbacks;
    callbacks.Post([&] {
      ++calls;
      callbacks.Post([&] { ++calls; });
    });
  }
  EXPECT_EQ(calls, 2);
}

TEST(CallbackThread, WhatACallbackHoldsIsReleasedOnceItHasRun) {
  CallbackThread callbacks;
  auto held = std::make_shared<int>();
  const std::weak_ptr<int> watch = held;
  callbacks.Post([held = std::move(held)] {});
  std::promise<bool> expired;
  callbacks.Post([&] { expired.set_value(watch.expired()); });
  EXPECT_TRUE(expired.get_future().get());
}

TEST(CallbackThread, KnowsItsOwnThread) {
  CallbackThread callbacks;
  std::promise<bool> answer;
  callbacks.Post([&] { answer.set_value(callbacks.IsThisThread()); });
  EXPECT_TRUE(answer.get_future().get());
  EXPECT_FALSE(callbacks.IsThisThread());
}

TEST(CallbackThread, ACallbackThatClosesItSeesTheRestRunFirst) {
  // The thread goes on a little after the last promise is kept, so it shares what it needs.
  struct Shared {
    std::unique_ptr<CallbackThread> callbacks = std::make_unique<CallbackThread>();
    std::promise<void> all_posted;
    std::promise<int> ran_before_the_end;
    int calls = 0;
  };
  auto shared = std::make_shared<Shared>();
  auto ran_before_the_end = shared->ran_before_the_end.get_future();
  auto& callbacks = *shared->callbacks;
  callbacks.Post([shared] { shared->all_posted.get_future().wait(); });
  callbacks.Post([shared] {
    shared->callbacks.reset();
    shared->ran_before_the_end.set_value(shared->calls);
  });
  for (int i = 0; i < 3; ++i) callbacks.Post([shared] { ++shared->calls; });
  shared->all_posted.set_value();
  EXPECT_EQ(ran_before_the_end.get(), 3);
}

}  // namespace
}  // namespace pgqrs::testing
