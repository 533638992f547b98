// What is done to runs from outside: keys, cancel, pause, resume, retry, fork, listings, retention.
#include <set>
#include <stdexcept>
#include <thread>

#include "conformance/workflow_test.h"

namespace pgqrs::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class WorkflowControl : public WorkflowTest {
 protected:
  static auto Short() {
    return DefineWorkflow("short",
                          [](RunContext& run) { return run.Step("one", [] { return 1; }); });
  }
};
PGQRS_ON_EVERY_BACKEND(WorkflowControl);

TEST_P(WorkflowControl, TheSameKeyGivesTheSameRun) {
  auto& store = OpenStore();
  const auto workflow = Short();
  const auto other = DefineWorkflow("other", [](RunContext&) {});
  const auto run = store.Trigger(workflow, {}, {.idempotency_key = "key"});
  EXPECT_EQ(store.Trigger(workflow, {}, {.idempotency_key = "key"}).id(), run.id());
  EXPECT_NE(store.Trigger(workflow, {}, {.idempotency_key = "another"}).id(), run.id());
  EXPECT_NE(store.Trigger(other, {}, {.idempotency_key = "key"}).id(), run.id());
  EXPECT_EQ(run.Info().idempotency_key, "key");
  WorkflowWorker worker(store, {workflow});
  worker.Start();
  run.Result(kLongEnough);
  EXPECT_EQ(store.Trigger(workflow, {}, {.idempotency_key = "key"}).id(), run.id());
}

TEST_P(WorkflowControl, OfManyThreadsWithOneKeyOneMakesTheRun) {
  auto& store = OpenStore();
  const auto workflow = Short();
  store.Workflows().Create("short");
  std::mutex mutex;
  std::set<std::int64_t> ids;
  constexpr int kThreads = 8;
  std::vector<std::thread> threads;
  threads.reserve(kThreads);
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      for (int key = 0; key < 10; ++key) {
        const auto run =
            store.Trigger(workflow, {}, {.idempotency_key = "key " + std::to_string(key)});
        const std::lock_guard lock(mutex);
        ids.insert(run.id());
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_THAT(ids, SizeIs(10));
  EXPECT_THAT(store.Workflows().Runs(), SizeIs(10));
}

TEST_P(WorkflowControl, DelayAndPriorityAreThoseOfTheMessage) {
  auto& store = OpenStore();
  const auto run = store.Trigger(Short(), {}, {.delay = minutes(3), .priority = 1});
  const auto message = store.FindMessage(run.id()).value();
  EXPECT_EQ(message.visible_at, clock().Now() + minutes(3));
  EXPECT_EQ(message.priority, 1);
  EXPECT_EQ(run.Status(), RunStatus::kQueued);
}

TEST_P(WorkflowControl, ARunThatWaitsIsCancelledAtOnce) {
  const auto sleeper = DefineWorkflow("sleeper", [](RunContext& run) { run.Sleep(hours(1)); });
  auto& store = OpenStore();
  const auto queued = store.Trigger(sleeper, {}, {.delay = hours(1)});
  WorkflowWorker worker(store, {sleeper});
  worker.Start();
  const auto asleep = store.Trigger(sleeper);
  ASSERT_TRUE(ComesToRest(asleep));
  for (const auto& run : {queued, asleep}) {
    EXPECT_TRUE(run.Cancel());
    EXPECT_EQ(run.Status(), RunStatus::kCancelled);
    EXPECT_FALSE(run.Cancel());
    EXPECT_EQ(store.FindMessage(run.id())->state, MessageState::kArchived);
    EXPECT_THAT(MessageOf<WorkflowError>([&] { run.Result(kLongEnough); }),
                HasSubstr("was cancelled"));
  }
}

TEST_P(WorkflowControl, ARunThatIsExecutedIsCancelledAtItsNextStep) {
  Gate gate;
  const OpenAtEnd open(gate);
  std::atomic<bool> went_on = false;
  const auto workflow = DefineWorkflow("busy", [&](RunContext& run) {
    run.Step("long", [&] { gate.Pass(); });
    run.Step("next", [&] { went_on = true; });
  });
  auto& store = OpenStore();
  WorkflowWorker worker(store, {workflow});
  worker.Start();
  const auto run = store.Trigger(workflow);
  ASSERT_TRUE(Eventually([&] { return gate.waiting() == 1; }));
  EXPECT_TRUE(run.Cancel());
  EXPECT_EQ(run.Status(), RunStatus::kCancelling);
  gate.Open();
  EXPECT_TRUE(Becomes(run, RunStatus::kCancelled));
  EXPECT_FALSE(went_on);
}

TEST_P(WorkflowControl, APausedRunWaitsForItsResume) {
  const auto workflow = Short();
  auto& store = OpenStore();
  const auto run = store.Trigger(workflow);
  run.Pause();
  EXPECT_EQ(run.Status(), RunStatus::kPaused);
  WorkflowWorker worker(store, {workflow});
  worker.Start();
  EXPECT_EQ(store.Trigger(workflow).Result(kLongEnough), 1);
  EXPECT_EQ(run.Status(), RunStatus::kPaused);
  run.Resume();
  EXPECT_EQ(run.Result(kLongEnough), 1);
  EXPECT_THROW(run.Pause(), ValidationError);
  EXPECT_THROW(run.Resume(), ValidationError);
}

TEST_P(WorkflowControl, AWorkflowThatWasDeletedIsMissedByItsNameAndMadeAnewByItsCode) {
  const auto workflow = Short();
  auto& store = OpenStore();
  store.Trigger(workflow);
  store.Workflows().Trigger("short", Json());
  store.DeleteQueue("short", true);
  for (int i = 0; i < 2; ++i) {
    EXPECT_THAT(MessageOf<QueueNotFoundError>([&] { store.Workflows().Trigger("short", Json()); }),
                HasSubstr("short"));
    EXPECT_THROW(store.Workflows().TriggerAsync("short", Json()).Get(), QueueNotFoundError);
  }
  const auto run = store.Trigger(workflow);
  WorkflowWorker worker(store, {workflow});
  worker.Start();
  EXPECT_EQ(run.Result(kLongEnough), 1);
}

TEST_P(WorkflowControl, TheAckOfARunsMessageByAPlainConsumerCancelsTheRun) {
  auto& store = OpenStore();
  const auto acked = store.Trigger(Short());
  const auto other = store.Trigger(Short());
  auto queue = store.Queue("short");
  auto message = queue.Dequeue().value();
  EXPECT_TRUE(message.Ack());
  EXPECT_EQ(message.id(), acked.id());
  EXPECT_EQ(acked.Status(), RunStatus::kCancelled);
  EXPECT_THAT(acked.Info().error->text(), HasSubstr("was archived before the run had ended"));
  EXPECT_EQ(other.Status(), RunStatus::kQueued);
}

TEST_P(WorkflowControl, ARunThatIsExecutedPausesAtItsNextStep) {
  Gate gate;
  const OpenAtEnd open(gate);
  std::atomic<int> first = 0;
  const auto workflow = DefineWorkflow("busy", [&](RunContext& run) {
    run.Step("first", [&] {
      ++first;
      gate.Pass();
    });
    return run.Step("next", [&] { return first.load(); });
  });
  auto& store = OpenStore();
  WorkflowWorker worker(store, {workflow});
  worker.Start();
  const auto run = store.Trigger(workflow);
  ASSERT_TRUE(Eventually([&] { return gate.waiting() == 1; }));
  run.Pause();
  EXPECT_TRUE(run.Info().pause_requested);
  gate.Open();
  EXPECT_TRUE(Becomes(run, RunStatus::kPaused));
  run.Resume();
  EXPECT_EQ(run.Result(kLongEnough), 1) << "the first step has run again";
}

TEST_P(WorkflowControl, AFailedRunGoesOnFromItsFailedStep) {
  std::atomic<bool> works = false;
  std::atomic<int> good = 0;
  const auto workflow = DefineWorkflow("mended", [&](RunContext& run) {
    run.Step("good", [&] { ++good; });
    return run.Step("bad", [&] {
      if (!works) throw std::runtime_error("not yet");
      return 7;
    });
  });
  auto& store = OpenStore();
  WorkflowWorker worker(store, {workflow});
  worker.Start();
  const auto run = store.Trigger(workflow);
  EXPECT_THROW(run.Result(kLongEnough), WorkflowError);
  works = true;
  store.Workflows().Retry(run.id());
  EXPECT_EQ(run.Result(kLongEnough), 7);
  EXPECT_EQ(good, 1);
  EXPECT_THROW(store.Workflows().Retry(run.id()), ValidationError);
}

TEST_P(WorkflowControl, AForkTakesOverTheStepsBeforeAStep) {
  std::atomic<int> calls = 0;
  const auto workflow = DefineWorkflow("forked", [&](RunContext& run, int base) {
    const int a = run.Step("a", [&] { return base + ++calls; });
    const int b = run.Step("b", [&] { return 10 * ++calls; });
    return a + b;
  });
  auto& store = OpenStore();
  WorkflowWorker worker(store, {workflow});
  worker.Start();
  const auto run = store.Trigger(workflow, 100);
  EXPECT_EQ(run.Result(kLongEnough), 101 + 20);
  const pgqrs::Run<int> forked(store.Workflows().Fork(run.id(), "b"));
  EXPECT_NE(forked.id(), run.id());
  EXPECT_EQ(forked.Result(kLongEnough), 101 + 30);
  EXPECT_EQ(run.Result(kLongEnough), 101 + 20);
  EXPECT_THROW(store.Workflows().Fork(run.id(), "c"), ValidationError);
}

TEST_P(WorkflowControl, RunsAreListedAndCancelledByFilter) {
  auto& store = OpenStore();
  const auto workflow = Short();
  const auto other = DefineWorkflow("other", [](RunContext&) {});
  std::vector<std::int64_t> ids;
  for (int i = 0; i < 5; ++i) {
    ids.push_back(
        store.Trigger(workflow, {}, {.idempotency_key = "key " + std::to_string(i)}).id());
    Advance(minutes(1));
  }
  store.Trigger(other);
  const auto list = [&](const RunFilter& filter) {
    std::vector<std::int64_t> found;
    for (const auto& run : store.Workflows().Runs(filter)) found.push_back(run.id);
    return found;
  };
  EXPECT_EQ(list({.workflow = "short"}), ids);
  EXPECT_THAT(list({.workflow = "short", .limit = 2}), ElementsAre(ids[0], ids[1]));
  EXPECT_THAT(list({.workflow = "short", .after_id = ids[1], .limit = 2}),
              ElementsAre(ids[2], ids[3]));
  EXPECT_THAT(list({.workflow = "short", .order = ListOrder::kNewestFirst, .limit = 2}),
              ElementsAre(ids[4], ids[3]));
  EXPECT_THAT(list({.workflow = "short", .idempotency_key = "key 3"}), ElementsAre(ids[3]));
  EXPECT_THAT(list({.workflow = "short",
                    .created_from = clock().Now() - minutes(4),
                    .created_to = clock().Now() - minutes(2)}),
              ElementsAre(ids[1], ids[2]));
  store.Workflows().Get(ids[0]).Cancel();
  EXPECT_THAT(list({.statuses = {RunStatus::kCancelled}}), ElementsAre(ids[0]));
  EXPECT_EQ(store.Workflows().CancelMany({.workflow = "short"}), 4);
  EXPECT_THAT(list({.statuses = {RunStatus::kQueued}}), SizeIs(1));
  EXPECT_THROW(list({.limit = 0}), ValidationError);
}

TEST_P(WorkflowControl, RetentionRemovesFinishedRuns) {
  const auto workflow = Short();
  auto& store = OpenStore();
  WorkflowWorker worker(store, {workflow});
  worker.Start();
  std::vector<std::int64_t> ids;
  for (int i = 0; i < 4; ++i) {
    const auto run = store.Trigger(workflow);
    run.Result(kLongEnough);
    ids.push_back(run.id());
    Advance(hours(1));
  }
  const auto waiting = store.Trigger(workflow, {}, {.delay = hours(9)});
  EXPECT_EQ(store.Workflows().ApplyRetention("short", {.max_age = hours(3)}), 1);
  EXPECT_EQ(store.Workflows().ApplyRetention("short", {.max_count = 1}), 2);
  const auto left = store.Workflows().Runs();
  ASSERT_THAT(left, SizeIs(2));
  EXPECT_EQ(left[0].id, ids[3]);
  EXPECT_EQ(left[1].id, waiting.id());
  EXPECT_THROW(store.Workflows().Get(ids[0]), ValidationError);
  EXPECT_THAT(store.Workflows().Steps(), SizeIs(1));
}

TEST_P(WorkflowControl, WhatDoesNotExistIsSaid) {
  auto& store = OpenStore();
  auto workflows = store.Workflows();
  EXPECT_FALSE(workflows.Find("none"));
  EXPECT_THAT(MessageOf<QueueNotFoundError>([&] { workflows.Trigger("none", "x"); }),
              HasSubstr("none"));
  EXPECT_THROW(workflows.Get(12345), ValidationError);
  EXPECT_THROW(workflows.Retry(12345), ValidationError);
  EXPECT_THROW(workflows.Fork(12345), ValidationError);
  EXPECT_THROW(workflows.ApplyRetention("none", {}), ValidationError);
  EXPECT_THROW(workflows.Create(""), ValidationError);
  EXPECT_EQ(workflows.Create("made").name, "made");
  EXPECT_EQ(workflows.Create("made").id, workflows.Find("made")->id);
  EXPECT_THAT(workflows.List(), SizeIs(1));
}

TEST_P(WorkflowControl, ARunIsTriggeredByNameWithJson) {
  const auto workflow =
      DefineWorkflow("named", [](RunContext&, const std::string& text) { return text + "!"; });
  auto& store = OpenStore();
  WorkflowWorker worker(store, {workflow});
  worker.Start();
  const auto run = store.Workflows().Trigger("named", "hello");
  EXPECT_EQ(run.ResultJson(kLongEnough).AsString(), "hello!");
  EXPECT_THAT(MessageOf<WorkflowError>([&] {
                store.Workflows().Trigger("named", Json::Parse("[1]")).ResultJson(kLongEnough);
              }),
              HasSubstr("an array where a string is expected"));
}

}  // namespace
}  // namespace pgqrs::testing
