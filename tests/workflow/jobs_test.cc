// What is done to runs from outside of their executions.
#include "queue/archive.h"
#include "workflow/workflow_test.h"

namespace pgqrs::testing {
namespace {

using std::chrono::hours;
using std::chrono::seconds;
using ::testing::IsEmpty;

class RunJobs : public WorkflowTest {
 protected:
  template <typename F>
  static void Do(RunStore& store, F job) {
    store.Job([job](driver::Connection& connection) { job(connection); });
  }
  static void Pause(RunStore& store, std::int64_t id) {
    Do(store, [id](auto& connection) { workflow::PauseRun(connection, id); });
  }
  static void Resume(RunStore& store, std::int64_t id) {
    Do(store, [id](auto& connection) { workflow::ResumeRun(connection, id); });
  }
  static void Retry(RunStore& store, std::int64_t id) {
    Do(store, [id](auto& connection) { workflow::RetryRun(connection, id); });
  }
  static std::int64_t Fork(RunStore& store, std::int64_t id, const std::string& step = {}) {
    return store.Job([=](driver::Connection& connection) {
      workflow::Fork fork;
      fork.run_id = id;
      fork.step = step;
      return workflow::ForkRun(connection, fork);
    });
  }
  static std::vector<std::int64_t> List(RunStore& store, const RunFilter& filter) {
    std::vector<std::int64_t> ids;
    for (const auto& run : store.Read([filter](driver::Connection& connection) {
           return workflow::ListRuns(connection, filter);
         })) {
      ids.push_back(run.id);
    }
    return ids;
  }
};
PGQRS_ON_EVERY_BACKEND(RunJobs);

TEST_P(RunJobs, TheSameKeyGivesTheSameRun) {
  auto store = OpenRuns();
  const auto first = store.TriggerWithKey("key", "one");
  const auto again = store.TriggerWithKey("key", "two");
  EXPECT_TRUE(first.is_new);
  EXPECT_FALSE(again.is_new);
  EXPECT_EQ(first.run_id, again.run_id);
  EXPECT_NE(store.TriggerWithKey("other").run_id, first.run_id);
  EXPECT_TRUE(store.With("other flow").TriggerWithKey("key").is_new);
  EXPECT_EQ(store.Take(10).size(), 2U);
  EXPECT_EQ(store.Info(first.run_id).input, Json("one"));
  EXPECT_EQ(store.Info(first.run_id).idempotency_key, "key");
  EXPECT_THAT(store.Damage(), IsEmpty());
}

TEST_P(RunJobs, AQueuedOrSuspendedRunIsCancelledAtOnce) {
  auto store = OpenRuns();
  const auto queued = store.Trigger();
  store.Cancel(queued);
  EXPECT_EQ(store.Status(queued), RunStatus::kCancelled);
  const auto suspended = store.Trigger();
  const auto run = store.TakeAndStart();
  store.Suspend(run, [](auto& request) { request.delay = hours(1); });
  EXPECT_EQ(store.Cancel(suspended), 1);
  EXPECT_EQ(store.Status(suspended), RunStatus::kCancelled);
  EXPECT_EQ(store.Cancel(suspended), 0) << "it is finished";
  Advance(hours(2));
  EXPECT_THAT(store.Take(), IsEmpty());
  EXPECT_THAT(store.Damage(), IsEmpty());
  EXPECT_THROW(store.Cancel(12345), ValidationError);
}

TEST_P(RunJobs, ARunThatIsExecutedIsCancelledAtItsNextBoundary) {
  auto store = OpenRuns();
  const auto id = store.Trigger();
  const auto run = store.TakeAndStart();
  store.Cancel(id);
  EXPECT_EQ(store.Status(id), RunStatus::kCancelling);
  EXPECT_EQ(store.Record(run, StepOf("a")), Outcome::kCancelled);
  EXPECT_EQ(store.StepsOf(id).size(), 1U) << "what was done is known";
  EXPECT_EQ(store.Finish(run), Outcome::kCancelled);
  EXPECT_EQ(store.Status(id), RunStatus::kCancelled);
  EXPECT_EQ(store.Record(run, StepOf("b")), Outcome::kCancelled);
  EXPECT_EQ(store.StepsOf(id).size(), 1U);
  EXPECT_THAT(store.Damage(), IsEmpty());
}

TEST_P(RunJobs, TheNextStartEndsACancelledRunWhoseWorkerIsGone) {
  auto store = OpenRuns();
  const auto id = store.Trigger();
  store.TakeAndStart();
  store.Cancel(id);
  Advance(seconds(31));
  EXPECT_EQ(store.TakeAndStart().outcome, Outcome::kCancelled);
  EXPECT_EQ(store.Status(id), RunStatus::kCancelled);
  Advance(seconds(31));
  EXPECT_THAT(store.Take(), IsEmpty());
}

TEST_P(RunJobs, WhatARunHasTriggeredIsCancelledWithIt) {
  auto store = OpenRuns();
  auto children = store.With("children");
  const auto id = store.Trigger();
  const auto run = store.TakeAndStart();
  const auto child_id = store.Child(run, StepOf("child", std::nullopt), children);
  const auto child = children.TakeAndStart();
  const auto grandchild_id = children.Child(child, StepOf("grandchild", std::nullopt), children);
  EXPECT_EQ(store.Cancel(id), 1) << "what it has triggered does not count";
  EXPECT_EQ(store.Status(id), RunStatus::kCancelling);
  EXPECT_EQ(children.Status(child_id), RunStatus::kCancelling);
  EXPECT_EQ(children.Status(grandchild_id), RunStatus::kCancelled);
  EXPECT_EQ(store.Child(run, StepOf("late", std::nullopt), children), 0);
  EXPECT_EQ(children.Finish(child), Outcome::kCancelled);
  EXPECT_EQ(store.Finish(run, RunStatus::kCancelled), Outcome::kCancelled);
  const auto steps = store.StepsOf(id);
  ASSERT_EQ(steps.size(), 1U);
  EXPECT_EQ(steps[0].status, StepStatus::kError);
  EXPECT_THAT(steps[0].error->text(), ::testing::HasSubstr("was cancelled"));
  EXPECT_THAT(store.Damage(), IsEmpty());
}

TEST_P(RunJobs, ManyAreCancelledByAFilter) {
  auto store = OpenRuns();
  std::vector<std::int64_t> ids;
  ids.reserve(300);
  for (int i = 0; i < 300; ++i) ids.push_back(store.Trigger());
  store.Finish(store.TakeAndStart());
  workflow::Cancellation work(RunFilter{.workflow = "flow"});
  EXPECT_EQ(store.Steps(work).cancelled(), 299);
  EXPECT_EQ(List(store, {.statuses = {RunStatus::kCancelled}, .limit = 1000}).size(), 299U);
  EXPECT_THAT(store.Damage(), IsEmpty());
}

TEST_P(RunJobs, AFilterCancelsWhatItLetsThroughWithItsChildrenAndNothingElse) {
  auto store = OpenRuns();
  auto children = store.With("children");
  const auto finished_id = store.Trigger();
  const auto finished = store.TakeAndStart();
  const auto orphan = store.Child(finished, StepOf("child", std::nullopt), children);
  store.Finish(finished);
  store.Trigger();
  const auto run = store.TakeAndStart();
  std::vector<std::int64_t> ids;
  ids.reserve(150);
  for (int i = 0; i < 150; ++i) {
    ids.push_back(
        store.Child(run, StepOf("child " + std::to_string(i), std::nullopt, i), children));
  }
  store.Suspend(run, [](auto& request) { request.waits_for_children = true; });
  const auto queued = store.Trigger();
  workflow::Cancellation work(RunFilter{.workflow = "flow", .statuses = {RunStatus::kRunning}});
  EXPECT_EQ(store.Steps(work).cancelled(), 1);
  for (const auto id : ids) EXPECT_EQ(store.Status(id), RunStatus::kCancelled);
  EXPECT_EQ(store.Status(queued), RunStatus::kQueued);
  EXPECT_EQ(store.Status(orphan), RunStatus::kQueued) << "its parent is finished";
  EXPECT_EQ(
      store.Steps(workflow::Cancellation(RunFilter{.statuses = {RunStatus::kSuccess}})).cancelled(),
      0);
  EXPECT_EQ(store.Cancel(finished_id), 0);
  EXPECT_EQ(store.Status(orphan), RunStatus::kCancelled);
  EXPECT_THAT(store.Damage(), IsEmpty());
}

TEST_P(RunJobs, AQueuedRunPausesAtOnceAndGoesOnWhenItIsResumed) {
  auto store = OpenRuns();
  const auto id = store.Trigger();
  Pause(store, id);
  Pause(store, id);
  EXPECT_EQ(store.Status(id), RunStatus::kPaused);
  Advance(hours(1));
  EXPECT_THAT(store.Take(), IsEmpty());
  Resume(store, id);
  EXPECT_EQ(store.Status(id), RunStatus::kQueued);
  EXPECT_EQ(store.TakeAndStart().outcome, Outcome::kDone);
  Resume(store, id);
  EXPECT_EQ(store.Status(id), RunStatus::kRunning);
}

TEST_P(RunJobs, WhoHasTheMessageOfAPausedRunDoesNotStartIt) {
  auto store = OpenRuns();
  const auto id = store.Trigger();
  const auto taken = store.Take();
  Pause(store, id);
  EXPECT_EQ(store.Start(id, taken[0].lease_token).outcome, Outcome::kStale);
  EXPECT_EQ(store.Status(id), RunStatus::kPaused);
}

TEST_P(RunJobs, ARunThatIsExecutedPausesAtItsNextBoundary) {
  auto store = OpenRuns();
  const auto id = store.Trigger();
  const auto run = store.TakeAndStart();
  Pause(store, id);
  EXPECT_TRUE(store.Info(id).pause_requested);
  EXPECT_EQ(store.Record(run, StepOf("a")), Outcome::kPaused);
  EXPECT_EQ(store.Suspend(run, [](auto& request) { request.is_pause = true; }), Outcome::kPaused);
  EXPECT_EQ(store.Status(id), RunStatus::kPaused);
  EXPECT_THAT(store.Take(), IsEmpty());
  Resume(store, id);
  const auto again = store.TakeAndStart();
  EXPECT_EQ(again.steps.size(), 1U);
}

TEST_P(RunJobs, APauseThatIsTakenBackChangesNothing) {
  auto store = OpenRuns();
  const auto id = store.Trigger();
  const auto run = store.TakeAndStart();
  Pause(store, id);
  Resume(store, id);
  EXPECT_EQ(store.Record(run, StepOf("a")), Outcome::kDone);
  Pause(store, id);
  Advance(seconds(31));
  EXPECT_EQ(store.TakeAndStart().outcome, Outcome::kPaused) << "its worker is gone";
  EXPECT_EQ(store.Status(id), RunStatus::kPaused);
}

TEST_P(RunJobs, AFailedRunIsRetriedWithItsFinishedSteps) {
  auto store = OpenRuns();
  const auto id = store.Trigger("again");
  const auto run = store.TakeAndStart();
  store.Record(run, StepOf("good", Json("x"), 0));
  auto bad = StepOf("bad", std::nullopt, 1);
  bad.status = StepStatus::kError;
  bad.attempts = 3;
  bad.error = Json("broken");
  store.Record(run, bad);
  EXPECT_THROW(Retry(store, id), ValidationError) << "it runs";
  store.Finish(run, RunStatus::kError, "broken");
  Retry(store, id);
  EXPECT_EQ(store.Status(id), RunStatus::kQueued);
  EXPECT_FALSE(store.Info(id).error);
  const auto again = store.TakeAndStart();
  EXPECT_EQ(again.run.id, id);
  ASSERT_EQ(again.steps.size(), 2U);
  EXPECT_EQ(again.steps[0].status, StepStatus::kSuccess);
  EXPECT_EQ(again.steps[1].status, StepStatus::kRunning);
  EXPECT_EQ(again.steps[1].attempts, 0);
  store.Finish(again);
  EXPECT_THAT(store.Damage(), IsEmpty());
}

TEST_P(RunJobs, ARunIsNotRetriedBeforeItsCancelledChildrenHaveEnded) {
  auto store = OpenRuns();
  auto children = store.With("children");
  const auto id = store.Trigger();
  const auto run = store.TakeAndStart();
  store.Child(run, StepOf("child", std::nullopt), children);
  store.Suspend(run, [](auto& request) { request.waits_for_children = true; });
  const auto child = children.TakeAndStart();
  store.Cancel(id);
  const auto retry = [id](driver::Connection& connection) { workflow::RetryRun(connection, id); };
  EXPECT_THAT(MessageOf<ValidationError>([&] { store.Job(retry); }),
              ::testing::HasSubstr("is Cancelling and has not ended"));
  EXPECT_EQ(store.Status(id), RunStatus::kCancelled);
  EXPECT_EQ(children.Finish(child, RunStatus::kCancelled), Outcome::kCancelled);
  store.Job(retry);
  EXPECT_EQ(store.Status(id), RunStatus::kQueued);
  EXPECT_EQ(store.TakeAndStart().steps.at(0).child_id, 0) << "it is triggered anew";
  EXPECT_THAT(store.Damage(), IsEmpty());
}

TEST_P(RunJobs, ARunIsRetriedAlsoWhereRetentionHasRemovedItsMessage) {
  auto store = OpenRuns();
  const auto id = store.Trigger("kept");
  const auto other = store.Trigger("other");
  store.Finish(store.TakeAndStart(), RunStatus::kError, "broken");
  store.Finish(store.TakeAndStart());
  Advance(hours(1));
  auto queue = store.core().Write([queue_id = store.ref()->id](driver::Connection& connection) {
    queue::Retention retention(queue_id, {.max_age = seconds(1), .max_count = {}});
    while (retention.Step(connection)) {
    }
    return retention.removed();
  });
  EXPECT_EQ(queue.Get(), 2);
  Retry(store, id);
  const auto taken = store.Take();
  ASSERT_EQ(taken.size(), 1U);
  EXPECT_EQ(taken[0].payload, "\"kept\"");
  EXPECT_EQ(store.Start(id, taken[0].lease_token).outcome, Outcome::kDone);
  EXPECT_EQ(store.Status(other), RunStatus::kSuccess);
}

TEST_P(RunJobs, AForkHasTheStepsBeforeIt) {
  auto store = OpenRuns();
  const auto id = store.Trigger("input");
  const auto run = store.TakeAndStart();
  store.Record(run, StepOf("a", Json("1"), 0));
  store.Record(run, StepOf("b", Json("2"), 1));
  store.Record(run, StepOf("c", Json("3"), 2));
  store.Finish(run, RunStatus::kError, "broken");
  const auto fork = Fork(store, id, "c");
  EXPECT_NE(fork, id);
  EXPECT_THROW(Fork(store, id, "none"), ValidationError);
  const auto forked = store.TakeAndStart();
  EXPECT_EQ(forked.run.id, fork);
  EXPECT_EQ(forked.input, "\"input\"");
  ASSERT_EQ(forked.steps.size(), 2U);
  EXPECT_EQ(forked.steps[1].output, Json("2"));
  EXPECT_EQ(store.Status(id), RunStatus::kError);
  EXPECT_EQ(store.StepsOf(Fork(store, id)).size(), 3U);
  EXPECT_THAT(store.Damage(), IsEmpty());
}

TEST_P(RunJobs, RetentionRemovesFinishedRunsWithAllTheyHave) {
  auto store = OpenRuns();
  std::vector<std::int64_t> ids;
  for (int i = 0; i < 5; ++i) {
    ids.push_back(store.Trigger());
    const auto run = store.TakeAndStart();
    store.Record(run, StepOf("a"));
    store.Send(ids.back(), "event", "x");
    store.Finish(run);
    Advance(seconds(10));
  }
  const auto unfinished = store.Trigger();
  Advance(hours(1));
  auto by_count = store.Steps(workflow::RunRetentionWork(store.ref()->id, {.max_count = 3}));
  EXPECT_EQ(by_count.removed(), 2);
  EXPECT_THAT(List(store, {}), ElementsAre(ids[2], ids[3], ids[4], unfinished));
  auto by_age =
      store.Steps(workflow::RunRetentionWork(store.ref()->id, {.max_age = hours(1) + seconds(25)}));
  EXPECT_EQ(by_age.removed(), 1);
  EXPECT_EQ(store.Steps(workflow::RunRetentionWork(store.ref()->id, {})).removed(), 0);
  EXPECT_THAT(List(store, {}), ElementsAre(ids[3], ids[4], unfinished));
  EXPECT_THAT(store.Damage(), IsEmpty());
}

TEST_P(RunJobs, RunsAreListedByWhatIsAsked) {
  auto store = OpenRuns();
  auto other = store.With("other");
  const auto begin = clock().Now();
  const auto a = store.Trigger();
  Advance(seconds(1));
  const auto b = store.TriggerWithKey("key").run_id;
  const auto c = other.Trigger();
  store.Finish(store.TakeAndStart());
  EXPECT_THAT(List(store, {}), ElementsAre(a, b, c));
  EXPECT_THAT(List(store, {.order = ListOrder::kNewestFirst}), ElementsAre(c, b, a));
  EXPECT_THAT(List(store, {.order = ListOrder::kNewestFirst, .after_id = c, .limit = 1}),
              ElementsAre(b));
  EXPECT_THAT(List(store, {.after_id = a, .limit = 1}), ElementsAre(b));
  EXPECT_THAT(List(store, {.workflow = "flow"}), ElementsAre(a, b));
  EXPECT_THAT(List(store, {.workflow = "none"}), IsEmpty());
  EXPECT_THAT(List(store, {.statuses = {RunStatus::kSuccess}}), ElementsAre(a));
  EXPECT_THAT(List(store, {.statuses = {RunStatus::kQueued, RunStatus::kError}}),
              ElementsAre(b, c));
  EXPECT_THAT(List(store, {.idempotency_key = "key"}), ElementsAre(b));
  EXPECT_THAT(List(store, {.created_from = begin + seconds(1)}), ElementsAre(b, c));
  EXPECT_THAT(List(store, {.created_to = begin + seconds(1)}), ElementsAre(a));
  EXPECT_THROW(List(store, {.limit = 0}), ValidationError);
  const auto workflows = store.Read(
      [](driver::Connection& connection) { return workflow::ListWorkflows(connection); });
  ASSERT_EQ(workflows.size(), 2U);
  EXPECT_EQ(workflows[0].name, "flow");
}

TEST_P(RunJobs, AnEventForARunThatIsFinishedOrUnknownIsAnError) {
  auto store = OpenRuns();
  const auto id = store.Trigger();
  store.Finish(store.TakeAndStart());
  EXPECT_THROW(store.Send(id, "event", "x"), ValidationError);
  EXPECT_THROW(store.Send(999, "event", "x"), ValidationError);
}

}  // namespace
}  // namespace pgqrs::testing
