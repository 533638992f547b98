// Sleep, events and children: what a run waits for while nothing is held.
#include <algorithm>
#include <stdexcept>

#include "conformance/workflow_test.h"
#include "support/seed.h"

namespace pgqrs::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class WorkflowWaits : public WorkflowTest {};
PGQRS_ON_EVERY_BACKEND(WorkflowWaits);

TEST_P(WorkflowWaits, ARunSleepsUntilItsTimeAndHoldsNothing) {
  const auto workflow = DefineWorkflow("sleeper", [](RunContext& run) { run.Sleep(hours(24)); });
  auto& store = OpenStore();
  WorkflowWorker worker(store, {workflow});
  worker.Start();
  const auto run = store.Trigger(workflow);
  ASSERT_TRUE(ComesToRest(run));
  const auto message = store.FindMessage(run.id()).value();
  EXPECT_EQ(message.visible_at, clock().Now() + hours(24));
  EXPECT_EQ(message.read_count, 0) << "a run that goes on later has not failed";
  EXPECT_TRUE(Eventually([&] { return worker.counts().suspended == 1; }));
  Advance(hours(24) - seconds(1));
  EXPECT_THROW(run.Result(milliseconds(50)), TimeoutError);
  Advance(seconds(1));
  run.Result(kLongEnough);
}

TEST_P(WorkflowWaits, ASleepOfNoTimeIsNone) {
  const auto workflow = DefineWorkflow("awake", [&](RunContext& run) {
    run.Sleep(Duration::zero());
    run.SleepUntil(TimePoint());
  });
  auto& store = OpenStore();
  WorkflowWorker worker(store, {workflow});
  worker.Start();
  store.Trigger(workflow).Result(kLongEnough);
  EXPECT_EQ(worker.counts().suspended, 0U);
}

TEST_P(WorkflowWaits, ManyRunsSleepAtOnceAndLeaveTheirWorkerFree) {
  const int count = GetParam().name == "SqliteMemory" && !IsSanitized() ? 10'000 : 500;
  const auto workflow = DefineWorkflow("sleeper", [](RunContext& run, int i) {
    if (i >= 0) run.Sleep(hours(1));
    return i;
  });
  auto& store = OpenStore();
  WorkflowWorker worker(store, {workflow}, {.concurrency = 1});
  std::vector<Future<pgqrs::Run<int>>> triggers;
  triggers.reserve(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) triggers.push_back(store.TriggerAsync(workflow, i));
  std::vector<pgqrs::Run<int>> runs;
  runs.reserve(static_cast<std::size_t>(count));
  for (auto& trigger : triggers) runs.push_back(trigger.Get());
  worker.Start();
  ASSERT_TRUE(
      Eventually([&] { return worker.counts().suspended == static_cast<std::uint64_t>(count); }));
  const auto metrics = store.Queue("sleeper").Metrics();
  EXPECT_EQ(metrics.delayed, count);
  EXPECT_EQ(metrics.leased, 0);
  // The one thread of the worker has time for others.
  EXPECT_EQ(store.Trigger(workflow, -1).Result(kLongEnough), -1);
  Advance(hours(1));
  for (int i = 0; i < count; ++i) {
    EXPECT_EQ(runs[static_cast<std::size_t>(i)].Result(kLongEnough), i);
  }
}

// ---- Events

TEST_P(WorkflowWaits, AnEventWakesTheRunThatWaitsForIt) {
  const auto workflow =
      DefineWorkflow("listener", [](RunContext& run) { return run.WaitForEvent("go").value(); });
  auto& store = OpenStore();
  WorkflowWorker worker(store, {workflow});
  worker.Start();
  const auto run = store.Trigger(workflow);
  ASSERT_TRUE(ComesToRest(run));
  store.Workflows().SendEvent(run.id(), "other", "not this one");
  store.Workflows().SendEvent(run.id(), "go", Json::Parse("{\"a\":1}"));
  EXPECT_THAT(run.Result(kLongEnough), IsJson("{\"a\":1}"));
}

TEST_P(WorkflowWaits, EventsThatCameBeforeAreReceivedInTheirOrder) {
  const auto workflow = DefineWorkflow("listener", [](RunContext& run) {
    std::vector<std::string> texts;
    texts.reserve(3);
    for (int i = 0; i < 3; ++i) texts.push_back(run.WaitForEvent("word")->AsString());
    return texts;
  });
  auto& store = OpenStore();
  const auto run = store.Trigger(workflow);
  for (const auto* word : {"a", "b", "c"}) store.Workflows().SendEvent(run.id(), "word", word);
  WorkflowWorker worker(store, {workflow});
  worker.Start();
  EXPECT_THAT(run.Result(kLongEnough), ElementsAre("a", "b", "c"));
  EXPECT_EQ(worker.counts().suspended, 0U);
}

TEST_P(WorkflowWaits, WaitingForAnEventEndsInTime) {
  const auto workflow = DefineWorkflow("listener", [](RunContext& run) {
    const bool first = run.WaitForEvent("go", minutes(5)).has_value();
    run.Sleep(seconds(1));
    return first;
  });
  auto& store = OpenStore();
  WorkflowWorker worker(store, {workflow});
  worker.Start();
  const auto run = store.Trigger(workflow);
  ASSERT_TRUE(ComesToRest(run));
  EXPECT_EQ(store.FindMessage(run.id())->visible_at, clock().Now() + minutes(5));
  Advance(minutes(5));
  ASSERT_TRUE(Eventually([&] { return worker.counts().suspended == 2; }));
  // Too late: the time-out is what the step has given.
  store.Workflows().SendEvent(run.id(), "go", "late");
  Advance(seconds(1));
  EXPECT_FALSE(run.Result(kLongEnough));
}

TEST_P(WorkflowWaits, ABranchMayWaitForAnEventWhileAnotherSleeps) {
  const auto workflow = DefineWorkflow("both", [](RunContext& run) {
    return run.Parallel<std::string>(
        "all", {[](RunContext& branch) { return branch.WaitForEvent("go")->AsString(); },
                [](RunContext& branch) {
                  branch.Sleep(minutes(1));
                  return std::string("slept");
                }});
  });
  auto& store = OpenStore();
  WorkflowWorker worker(store, {workflow});
  worker.Start();
  const auto run = store.Trigger(workflow);
  ASSERT_TRUE(ComesToRest(run));
  store.Workflows().SendEvent(run.id(), "go", "came");
  ASSERT_TRUE(Eventually([&] { return worker.counts().suspended == 2; }));
  Advance(minutes(1));
  EXPECT_THAT(run.Result(kLongEnough), ElementsAre("came", "slept"));
}

TEST_P(WorkflowWaits, ASleepIsASuccessWhenItsTimeIsPast) {
  const auto workflow = DefineWorkflow("sleeper", [](RunContext& run) {
    run.Sleep(minutes(1));
    run.WaitForEvent("never");
  });
  auto& store = OpenStore();
  WorkflowWorker worker(store, {workflow});
  worker.Start();
  const auto run = store.Trigger(workflow);
  ASSERT_TRUE(ComesToRest(run));
  const auto with = [&](StepStatus status) {
    return store.Workflows().Steps({.run_id = run.id(), .statuses = {status}}).size();
  };
  EXPECT_EQ(with(StepStatus::kRunning), 1U);
  EXPECT_EQ(with(StepStatus::kSuccess), 0U);
  Advance(minutes(1));
  EXPECT_EQ(with(StepStatus::kSuccess), 1U);
  EXPECT_EQ(store.Workflows().Steps({.run_id = run.id(), .name = "sleep"})[0].status,
            StepStatus::kSuccess);
}

TEST_P(WorkflowWaits, ABranchThatSleepsKeepsItsTimeWhenTheWorkerStops) {
  Gate gate;
  const OpenAtEnd open(gate);
  const auto workflow = DefineWorkflow("both", [&](RunContext& run) {
    run.Parallel("all", {[](RunContext& branch) { branch.Sleep(minutes(1)); },
                         [&](RunContext& branch) {
                           branch.Step("meet", [&] { gate.Pass(); });
                           branch.Step("next", [] {});
                         }});
  });
  auto& store = OpenStore();
  const auto run = store.Trigger(workflow);
  const auto until = clock().Now() + minutes(1);
  {
    WorkflowWorker worker(store, {workflow});
    worker.Start();
    ASSERT_TRUE(Eventually([&] { return gate.waiting() == 1; }));
    worker.RequestStop();
    gate.Open();
    EXPECT_TRUE(worker.Stop(kLongEnough));
  }
  const auto steps = StepsOf(run);
  const auto sleep = std::ranges::find(steps, StepKind::kSleep, &StepInfo::kind);
  ASSERT_NE(sleep, steps.end());
  EXPECT_EQ(sleep->wake_at, until);
  Advance(seconds(40));
  WorkflowWorker worker(store, {workflow});
  worker.Start();
  ASSERT_TRUE(ComesToRest(run));
  Advance(seconds(20));
  run.Result(kLongEnough);
}

TEST_P(WorkflowWaits, EventsAreForRunsThatExistAndGoOn) {
  const auto workflow = DefineWorkflow("short", [](RunContext&) {});
  auto& store = OpenStore();
  EXPECT_THROW(store.Workflows().SendEvent(640, "go", "x"), ValidationError);
  const auto run = store.Trigger(workflow);
  EXPECT_THROW(store.Workflows().SendEvent(run.id(), "", "x"), ValidationError);
  WorkflowWorker worker(store, {workflow});
  worker.Start();
  run.Result(kLongEnough);
  EXPECT_THAT(MessageOf<ValidationError>([&] { store.Workflows().SendEvent(run.id(), "go", "x"); }),
              HasSubstr("Success"));
}

// ---- Children

TEST_P(WorkflowWaits, AParentGetsWhatItsChildGives) {
  std::atomic<int> child_calls = 0;
  const auto child = DefineWorkflow("child", [&](RunContext& run, int number) {
    ++child_calls;
    return run.Step("double", [&] { return number * 2; });
  });
  const auto parent = DefineWorkflow("parent", [&](RunContext& run) {
    auto one = run.Child(child, 1);
    auto two = run.Child(child, 2);
    return std::vector<int>{one.Result(), two.Result()};
  });
  auto& store = OpenStore();
  WorkflowWorker worker(store, {parent, child}, {.concurrency = 2});
  worker.Start();
  const auto run = store.Trigger(parent);
  EXPECT_THAT(run.Result(kLongEnough), ElementsAre(2, 4));
  EXPECT_EQ(child_calls, 2);
  const auto children = store.Workflows().Runs({.parent_id = run.id()});
  ASSERT_THAT(children, SizeIs(2));
  EXPECT_EQ(children[0].workflow_name, "child");
  EXPECT_EQ(children[0].status, RunStatus::kSuccess);
}

TEST_P(WorkflowWaits, TheChildOfABranchMayBeAwaitedBehindIt) {
  const auto child = DefineWorkflow("child", [](RunContext&, int number) { return number + 1; });
  const auto parent = DefineWorkflow("parent", [&](RunContext& run) {
    std::optional<ChildRun<int>> started;
    run.Parallel("all", {[&](RunContext& branch) { started.emplace(branch.Child(child, 1)); }});
    return started->Result();
  });
  auto& store = OpenStore();
  WorkflowWorker parents(store, {parent});
  parents.Start();
  const auto run = store.Trigger(parent);
  ASSERT_TRUE(ComesToRest(run));
  WorkflowWorker children(store, {child});
  children.Start();
  EXPECT_EQ(run.Result(kLongEnough), 2);
}

TEST_P(WorkflowWaits, SeveralBranchesMayAwaitOneChild) {
  const auto child = DefineWorkflow("child", [](RunContext& run) {
    run.Sleep(seconds(1));
    return 7;
  });
  const auto parent = DefineWorkflow("parent", [&](RunContext& run) {
    const auto started = run.Child(child, {});
    std::atomic<int> sum = 0;
    const auto add = [&](RunContext&) { sum += started.Result(); };
    run.Parallel("both", {add, add, add});
    return sum.load();
  });
  auto& store = OpenStore();
  WorkflowWorker worker(store, {parent, child});
  worker.Start();
  const auto run = store.Trigger(parent);
  ASSERT_TRUE(ComesToRest(run));
  const auto children = store.Workflows().Runs({.parent_id = run.id()});
  ASSERT_THAT(children, SizeIs(1));
  ASSERT_TRUE(ComesToRest(store.Workflows().Get(children[0].id)));
  Advance(seconds(1));
  EXPECT_EQ(run.Result(kLongEnough), 21);
}

TEST_P(WorkflowWaits, AWorkflowThatWasDeletedElsewhereIsMadeAnewForAChild) {
  if (!IsShared()) GTEST_SKIP() << "a second store cannot open the same database";
  const auto child = DefineWorkflow("child", [](RunContext& /*run*/, int n) { return 2 * n; });
  const auto parent = DefineWorkflow(
      "parent", [&](RunContext& run, int n) { return run.Child(child, n).Result(); });
  auto& store = OpenStore();
  WorkflowWorker worker(store, {parent});
  worker.Start();
  ASSERT_TRUE(ComesToRest(store.Trigger(parent, 1)));
  Open().DeleteQueue("child", /*force=*/true);

  const auto second = store.Trigger(parent, 2);
  ASSERT_TRUE(Eventually([&] {
    Advance(seconds(1));
    return !StepsOf(second).empty();
  }));
  WorkflowWorker children(store, {child});
  children.Start();
  EXPECT_EQ(second.Result(kLongEnough), 4);
}

TEST_P(WorkflowWaits, TheErrorOfAChildComesOutInItsParent) {
  const auto child = DefineWorkflow("child", [](RunContext& run) {
    run.Step("bad", []() -> int { throw std::runtime_error("child trouble"); });
  });
  const auto parent = DefineWorkflow("parent", [&](RunContext& run) {
    try {
      run.Child(child, {}).Result();
    } catch (const WorkflowError& error) {
      return std::string(error.what());
    }
    return std::string("nothing");
  });
  auto& store = OpenStore();
  WorkflowWorker worker(store, {parent, child});
  worker.Start();
  EXPECT_THAT(store.Trigger(parent).Result(kLongEnough), HasSubstr("child trouble"));
}

TEST_P(WorkflowWaits, ChildrenAreCancelledWithTheirParent) {
  const auto grandchild =
      DefineWorkflow("grandchild", [](RunContext& run) { run.WaitForEvent("never"); });
  const auto child =
      DefineWorkflow("child", [&](RunContext& run) { run.Child(grandchild, {}).Result(); });
  const auto parent =
      DefineWorkflow("parent", [&](RunContext& run) { run.Child(child, {}).Result(); });
  auto& store = OpenStore();
  WorkflowWorker worker(store, {parent, child, grandchild});
  worker.Start();
  const auto run = store.Trigger(parent);
  ASSERT_TRUE(Eventually([&] {
    const auto runs = store.Workflows().Runs({.workflow = "grandchild"});
    return runs.size() == 1 && ComesToRest(store.Workflows().Get(runs[0].id));
  }));
  ASSERT_TRUE(ComesToRest(run));
  EXPECT_TRUE(run.Cancel());
  for (const auto& info : store.Workflows().Runs()) {
    EXPECT_TRUE(Becomes(store.Workflows().Get(info.id), RunStatus::kCancelled))
        << info.workflow_name;
  }
}

TEST_P(WorkflowWaits, ACancelledChildIsAnErrorInItsParent) {
  const auto child = DefineWorkflow("child", [](RunContext& run) { run.WaitForEvent("never"); });
  const auto parent = DefineWorkflow("parent", [&](RunContext& run) {
    auto started = run.Child(child, {});
    try {
      started.Result();
    } catch (const WorkflowError& error) {
      return error.code();
    }
    return std::string("nothing");
  });
  auto& store = OpenStore();
  WorkflowWorker worker(store, {parent, child});
  worker.Start();
  const auto run = store.Trigger(parent);
  ASSERT_TRUE(
      Eventually([&] { return store.Workflows().Runs({.workflow = "child"}).size() == 1; }));
  store.Workflows().Get(store.Workflows().Runs({.workflow = "child"})[0].id).Cancel();
  EXPECT_EQ(run.Result(kLongEnough), "Cancelled");
}

}  // namespace
}  // namespace pgqrs::testing
