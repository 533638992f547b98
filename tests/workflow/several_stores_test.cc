// Several stores, each with lanes of its own, work on the same runs at once.
#include <atomic>
#include <thread>

#include "support/postgres_shell.h"
#include "workflow/workflow_test.h"

namespace pgqrs::testing {
namespace {

using ::testing::IsEmpty;

class RunsOfSeveralStores : public WorkflowTest {
 protected:
  void SetUp() override {
    if (!IsShared()) GTEST_SKIP() << "one store at a time can open it";
    UseSystemClock();
  }

  // Runs both at once.
  template <typename A, typename B>
  static void Together(A a, B b) {
    std::atomic<int> ready = 0;
    const auto wait = [&] {
      for (++ready; ready < 2;) std::this_thread::yield();
    };
    std::thread thread([&] {
      wait();
      a();
    });
    wait();
    b();
    thread.join();
  }

  static constexpr int kRounds = 30;
};
PGQRS_ON_EVERY_BACKEND(RunsOfSeveralStores);

TEST_P(RunsOfSeveralStores, OneOfTwoTriggersWithOneKeyMakesTheRun) {
  auto one = OpenRuns();
  auto two = OpenRuns();
  for (int i = 0; i < kRounds; ++i) {
    const auto key = "key " + std::to_string(i);
    RunStore::Triggered first;
    RunStore::Triggered second;
    Together([&] { first = one.TriggerWithKey(key); }, [&] { second = two.TriggerWithKey(key); });
    EXPECT_EQ(first.run_id, second.run_id);
    EXPECT_NE(first.is_new, second.is_new);
  }
  EXPECT_EQ(one.Take(1000).size(), static_cast<std::size_t>(kRounds));
  EXPECT_THAT(one.Damage(), IsEmpty());
}

TEST_P(RunsOfSeveralStores, OfTwoEpochsOneRecords) {
  auto one = OpenRuns();
  auto two = OpenRuns();
  for (int i = 0; i < kRounds; ++i) {
    const auto id = one.Trigger();
    const auto old = one.TakeAndStart();
    Started run;
    Outcome recorded{};
    Together([&] { recorded = one.Record(old, StepOf("a", Json("old"))); },
             [&] { run = two.Start(id, 0); });
    EXPECT_EQ(run.outcome, Outcome::kDone);
    // Who was first has its record, and the other one sees it or is refused.
    EXPECT_EQ(recorded == Outcome::kDone, run.steps.size() == 1U);
    EXPECT_EQ(one.Finish(old), Outcome::kStale);
    EXPECT_EQ(two.Finish(run), Outcome::kDone);
  }
  EXPECT_THAT(one.Damage(), IsEmpty());
}

TEST_P(RunsOfSeveralStores, NoEventIsMissedByARunThatIsJustSuspended) {
  auto one = OpenRuns();
  auto two = OpenRuns();
  for (int i = 0; i < kRounds; ++i) {
    const auto id = one.Trigger();
    const auto run = one.TakeAndStart();
    Together([&] { one.Suspend(run, [](auto& request) { request.waits_for_events = {"go"}; }); },
             [&] { two.Send(id, "go", "x"); });
    const auto again = two.TakeAndStart();
    EXPECT_EQ(two.Receive(again, "go"), "x");
    EXPECT_EQ(two.Finish(again), Outcome::kDone);
  }
  EXPECT_THAT(one.Damage(), IsEmpty());
}

TEST_P(RunsOfSeveralStores, NoEndOfAChildIsMissedByAParentThatIsJustSuspended) {
  auto one = OpenRuns();
  auto two = OpenRuns();
  auto children = two.With("children");
  for (int i = 0; i < kRounds; ++i) {
    one.Trigger();
    const auto run = one.TakeAndStart();
    one.Child(run, StepOf("child", std::nullopt), children);
    const auto child = children.TakeAndStart();
    Together([&] { one.Suspend(run, [](auto& request) { request.waits_for_children = true; }); },
             [&] { EXPECT_EQ(children.Finish(child), Outcome::kDone); });
    const auto again = one.TakeAndStart();
    EXPECT_EQ(again.steps.at(0).status, StepStatus::kSuccess);
    EXPECT_EQ(one.Finish(again), Outcome::kDone);
  }
  EXPECT_THAT(one.Damage(), IsEmpty());
}

// Each store ends children of all parents, and the parents record steps meanwhile.
TEST_P(RunsOfSeveralStores, NoEndOfAChildWaitsForOneThatWaitsForIt) {
  constexpr int kParents = 4;
  auto one = OpenRuns();
  auto two = OpenRuns();
  std::vector<Started> parents;
  for (int i = 0; i < kParents; ++i) {
    one.Trigger();
    parents.push_back(one.TakeAndStart());
  }
  auto of_one = one.With("children");
  auto of_two = two.With("children");
  const auto end = [&](RunStore& store, RunStore& of_store, const std::vector<Started>& children,
                       const std::string& name) {
    std::vector<Future<Outcome>> all;
    for (std::size_t i = 0; i < children.size(); ++i) {
      all.push_back(of_store.FinishAsync(children[i]));
      all.push_back(store.RecordAsync(parents[(i + 1) % kParents],
                                      StepOf(name + std::to_string(i), Json("x"), -1)));
    }
    for (auto& outcome : all) EXPECT_EQ(outcome.Get(), Outcome::kDone);
  };
  for (int round = 0; round < kRounds / 2; ++round) {
    const auto name = std::to_string(round) + " ";
    for (int i = 0; i < 2 * kParents; ++i) {
      const auto& parent = parents[static_cast<std::size_t>(kParents - 1 - i % kParents)];
      one.Child(parent, StepOf(name + std::to_string(i), std::nullopt, -1), of_one);
    }
    const auto take = [](RunStore& store) {
      std::vector<Started> runs(kParents);
      for (auto& run : runs) run = store.TakeAndStart();
      return runs;
    };
    const auto first = take(of_one);
    const auto second = take(of_two);
    Together([&] { end(one, of_one, first, name + "one "); },
             [&] { end(two, of_two, second, name + "two "); });
  }
  EXPECT_THAT(one.Damage(), IsEmpty());
  if (GetParam().name == "Postgres") {
    PostgresShell shell(config().dsn);
    EXPECT_EQ(shell.QueryInt("SELECT deadlocks FROM pg_stat_database "
                             "WHERE datname = current_database()"),
              0);
  }
}

TEST_P(RunsOfSeveralStores, RunsOfOneBatchAreWokenAtOnceByDifferentStores) {
  auto one = OpenRuns();
  auto two = OpenRuns();
  for (int i = 0; i < kRounds; ++i) {
    std::vector<std::int64_t> ids;
    {
      auto call = one.core().MakeCall<std::vector<std::int64_t>, queue::EnqueueRequest>(
          [](queue::EnqueueRequest& request) { return request.ids; });
      call->queue = one.ref();
      call->producer = one.core().own_worker();
      call->payloads = {Json("a"), Json("b"), Json("c")};
      call->runs.emplace();
      ids = one.core().Submit(std::move(call)).Get();
    }
    for (const auto& message : one.Take(3)) {
      one.Suspend(one.Start(message.id, message.lease_token),
                  [](auto& request) { request.waits_for_events = {"go"}; });
    }
    Together([&] { one.Send(ids[0], "go", "x"); }, [&] { two.Send(ids[2], "go", "x"); });
    EXPECT_EQ(one.Take(3).size(), 2U) << "round " << i;
    one.Cancel(ids[0]);
    one.Cancel(ids[1]);
    one.Cancel(ids[2]);
  }
  EXPECT_THAT(one.Damage(), IsEmpty());
}

TEST_P(RunsOfSeveralStores, ACancelAndAnEndAgree) {
  auto one = OpenRuns();
  auto two = OpenRuns();
  for (int i = 0; i < kRounds; ++i) {
    const auto id = one.Trigger();
    const auto run = one.TakeAndStart();
    Outcome outcome{};
    Together([&] { outcome = one.Finish(run); }, [&] { two.Cancel(id); });
    EXPECT_EQ(one.Status(id),
              outcome == Outcome::kDone ? RunStatus::kSuccess : RunStatus::kCancelled);
  }
  EXPECT_THAT(one.Damage(), IsEmpty());
}

}  // namespace
}  // namespace pgqrs::testing
