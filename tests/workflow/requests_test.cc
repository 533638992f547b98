// Each request of an execution: what it does, and what it answers under an older epoch.
#include "workflow/workflow_test.h"

namespace pgqrs::testing {
namespace {

using std::chrono::hours;
using std::chrono::seconds;
using ::testing::IsEmpty;

class RunRequests : public WorkflowTest {};
PGQRS_ON_EVERY_BACKEND(RunRequests);

TEST_P(RunRequests, ATriggeredRunIsQueuedUnderTheIdOfItsMessage) {
  auto store = OpenRuns();
  const auto id = store.Trigger("hello");
  const auto info = store.Info(id);
  EXPECT_EQ(info.status, RunStatus::kQueued);
  EXPECT_EQ(info.workflow_name, "flow");
  EXPECT_EQ(info.input.text(), "\"hello\"");
  const auto taken = store.Take();
  ASSERT_EQ(taken.size(), 1U);
  EXPECT_EQ(taken[0].id, id);
  EXPECT_EQ(taken[0].payload, "\"hello\"");
  EXPECT_THAT(store.Damage(), IsEmpty());
}

TEST_P(RunRequests, ARunGoesThroughItsStepsToItsEnd) {
  auto store = OpenRuns();
  const auto id = store.Trigger();
  const auto run = store.TakeAndStart();
  EXPECT_EQ(run.outcome, Outcome::kDone);
  EXPECT_EQ(run.epoch, 1);
  EXPECT_EQ(run.version, 1);
  EXPECT_EQ(store.Status(id), RunStatus::kRunning);
  EXPECT_EQ(store.Record(run, StepOf("a", Json("one"), 0)), Outcome::kDone);
  EXPECT_EQ(store.Record(run, StepOf("b", Json("two"), 1)), Outcome::kDone);
  EXPECT_EQ(store.Finish(run), Outcome::kDone);
  const auto info = store.Info(id);
  EXPECT_EQ(info.status, RunStatus::kSuccess);
  EXPECT_EQ(info.output, Json("output"));
  EXPECT_TRUE(info.finished_at);
  const auto steps = store.StepsOf(id);
  ASSERT_EQ(steps.size(), 2U);
  EXPECT_EQ(steps[0].output, Json("one"));
  EXPECT_THAT(store.Take(), IsEmpty());
  EXPECT_THAT(store.Damage(), IsEmpty());
}

TEST_P(RunRequests, AStartGivesWhatEarlierExecutionsHaveRecorded) {
  auto store = OpenRuns();
  store.Trigger();
  const auto first = store.TakeAndStart();
  store.Record(first, StepOf("b", Json("two"), 1));
  store.Record(first, StepOf("a", Json("one"), 0));
  Advance(seconds(31));
  const auto second = store.TakeAndStart();
  EXPECT_EQ(second.epoch, 2);
  ASSERT_EQ(second.steps.size(), 2U);
  EXPECT_EQ(second.steps[0].name, "a");
  EXPECT_EQ(second.steps[1].output, Json("two"));
}

TEST_P(RunRequests, UnderAnOlderEpochNothingIsDone) {
  auto store = OpenRuns();
  const auto id = store.Trigger();
  const auto old = store.TakeAndStart();
  Advance(seconds(31));
  const auto run = store.TakeAndStart();
  EXPECT_EQ(store.Record(old, StepOf("a")), Outcome::kStale);
  EXPECT_EQ(store.Suspend(old), Outcome::kStale);
  EXPECT_EQ(store.Finish(old), Outcome::kStale);
  EXPECT_EQ(store.Receive(old, "event"), "");
  EXPECT_EQ(store.Child(old, StepOf("child", std::nullopt), store), 0);
  EXPECT_THAT(store.StepsOf(id), IsEmpty());
  EXPECT_EQ(store.Record(run, StepOf("a")), Outcome::kDone);
  EXPECT_EQ(store.Finish(run), Outcome::kDone);
  EXPECT_EQ(store.Record(run, StepOf("b")), Outcome::kStale) << "it is finished";
  EXPECT_THAT(store.Damage(), IsEmpty());
}

TEST_P(RunRequests, AStartNeedsTheCurrentLease) {
  auto store = OpenRuns();
  const auto id = store.Trigger();
  const auto lost = store.Take();
  Advance(seconds(31));
  const auto held = store.Take();
  EXPECT_EQ(store.Start(id, lost[0].lease_token).outcome, Outcome::kStale);
  EXPECT_EQ(store.Start(id, held[0].lease_token).epoch, 1);
  EXPECT_EQ(store.Start(id, held[0].lease_token).epoch, 1) << "it was started under this lease";
}

TEST_P(RunRequests, AMessageThatNoTriggerHasStoredBecomesARun) {
  auto store = OpenRuns();
  auto call = store.core().MakeCall<std::int64_t, queue::EnqueueRequest>(
      [](queue::EnqueueRequest& request) { return request.ids.at(0); });
  call->queue = store.ref();
  call->producer = store.core().own_worker();
  call->payloads.emplace_back("plain");
  const auto id = store.core().Submit(std::move(call)).Get();
  const auto run = store.TakeAndStart();
  EXPECT_EQ(run.outcome, Outcome::kDone);
  EXPECT_EQ(run.run.id, id);
  EXPECT_EQ(run.input, "\"adopted\"");
  EXPECT_EQ(store.Finish(run), Outcome::kDone);
  EXPECT_THAT(store.Damage(), IsEmpty());
}

TEST_P(RunRequests, ASuspendedRunComesBackAtItsTimeWithoutAReadMore) {
  auto store = OpenRuns();
  const auto id = store.Trigger();
  for (int i = 1; i <= 10; ++i) {
    const auto run = store.TakeAndStart();
    EXPECT_EQ(run.epoch, i);
    EXPECT_EQ(store.Suspend(run, [](auto& request) { request.delay = hours(1); }), Outcome::kDone);
    EXPECT_EQ(store.Record(run, StepOf("late")), Outcome::kStale);
    EXPECT_THAT(store.Take(), IsEmpty());
    EXPECT_EQ(store.Status(id), RunStatus::kRunning);
    Advance(hours(1));
  }
  EXPECT_EQ(store.Take().at(0).read_count, 1);
}

TEST_P(RunRequests, ARunThatGetsOnIsNotBuriedHoweverOftenItIsTakenOver) {
  auto store = OpenRuns();
  const auto id = store.Trigger();
  for (int i = 0; i < 10; ++i) {
    const auto run = store.TakeAndStart();
    ASSERT_EQ(store.Record(run, StepOf("step " + std::to_string(i))), Outcome::kDone);
    Advance(seconds(31));
  }
  EXPECT_EQ(store.Status(id), RunStatus::kRunning);
}

TEST_P(RunRequests, ARunThatDoesNotGetOnIsBuriedAndEndsAsAnError) {
  auto store = OpenRuns();
  const auto id = store.Trigger();
  for (int i = 0; i < 5; ++i) {
    store.TakeAndStart();
    Advance(seconds(31));
  }
  EXPECT_THAT(store.Take(), IsEmpty());
  const auto info = store.Info(id);
  EXPECT_EQ(info.status, RunStatus::kError);
  ASSERT_TRUE(info.error);
  EXPECT_THAT(info.error->text(), ::testing::HasSubstr("read 5 times without an ack"));
  EXPECT_THAT(store.Damage(), IsEmpty());
}

TEST_P(RunRequests, AnEventIsReceivedOnceInOrder) {
  auto store = OpenRuns();
  const auto id = store.Trigger();
  store.Send(id, "go", "first");
  store.Send(id, "go", "second");
  const auto run = store.TakeAndStart();
  EXPECT_EQ(store.Receive(run, "go"), "first");
  EXPECT_EQ(store.Receive(run, "go"), "first") << "the step has it";
  EXPECT_EQ(store.Receive(run, "other"), "");
  const auto steps = store.StepsOf(id);
  ASSERT_EQ(steps.size(), 2U);
  EXPECT_EQ(steps[0].status, StepStatus::kSuccess);
  EXPECT_EQ(steps[1].status, StepStatus::kRunning);
}

TEST_P(RunRequests, AnEventWakesTheRunThatWaitsForItAndNoOther) {
  auto store = OpenRuns();
  const auto id = store.Trigger();
  const auto wait = [](workflow::SuspendRequest& request) {
    request.waits_for_events = {"a \"b\"", "go"};
  };
  const auto run = store.TakeAndStart();
  EXPECT_EQ(store.Suspend(run, wait), Outcome::kDone);
  store.Send(id, "other", "x");
  EXPECT_THAT(store.Take(), IsEmpty());
  store.Send(id, "go", "payload");
  const auto again = store.TakeAndStart();
  EXPECT_EQ(store.Receive(again, "go"), "payload");
  store.Send(id, "a \"b\"", "x");
  EXPECT_EQ(store.Suspend(again, wait), Outcome::kDone);
  EXPECT_EQ(store.TakeAndStart().epoch, 3) << "it was there before the wait";
}

TEST_P(RunRequests, AChildIsTriggeredOnceAndItsEndIsTheStepsOutcome) {
  auto store = OpenRuns();
  auto children = store.With("children");
  const auto id = store.Trigger();
  const auto run = store.TakeAndStart();
  const auto child_id = store.Child(run, StepOf("child", std::nullopt), children);
  EXPECT_NE(child_id, 0);
  EXPECT_EQ(store.Child(run, StepOf("child", std::nullopt), children), child_id);
  EXPECT_EQ(children.Info(child_id).parent_id, id);
  EXPECT_EQ(store.Suspend(run, [](auto& request) { request.waits_for_children = true; }),
            Outcome::kDone);
  EXPECT_THAT(store.Take(), IsEmpty());
  const auto child = children.TakeAndStart();
  EXPECT_EQ(child.run.id, child_id);
  EXPECT_EQ(children.Finish(child, RunStatus::kSuccess, "answer"), Outcome::kDone);
  const auto again = store.TakeAndStart();
  ASSERT_EQ(again.steps.size(), 1U);
  EXPECT_EQ(again.steps[0].status, StepStatus::kSuccess);
  EXPECT_EQ(again.steps[0].output, Json("answer"));
  EXPECT_EQ(again.steps[0].child_id, child_id);
  EXPECT_THAT(store.Damage(), IsEmpty());
}

TEST_P(RunRequests, TheEndOfAChildBeforeTheWaitIsNotMissed) {
  auto store = OpenRuns();
  auto children = store.With("children");
  store.Trigger();
  const auto run = store.TakeAndStart();
  store.Child(run, StepOf("child", std::nullopt), children);
  children.Finish(children.TakeAndStart(), RunStatus::kError, "broken");
  EXPECT_EQ(store.Suspend(run, [](auto& request) { request.waits_for_children = true; }),
            Outcome::kDone);
  const auto again = store.TakeAndStart();
  ASSERT_EQ(again.steps.size(), 1U);
  EXPECT_EQ(again.steps[0].status, StepStatus::kError);
  EXPECT_EQ(again.steps[0].error, Json("broken"));
}

TEST_P(RunRequests, APauseIsAPauseUntilItsTime) {
  auto store = OpenRuns();
  const auto id = store.Trigger();
  const auto pause = [](workflow::SuspendRequest& request) {
    request.is_pause = true;
    request.delay = seconds(10);
    request.reason = Json("later");
  };
  EXPECT_EQ(store.Suspend(store.TakeAndStart(), pause), Outcome::kPaused);
  EXPECT_EQ(store.Status(id), RunStatus::kPaused);
  EXPECT_EQ(store.Info(id).error, Json("later"));
  EXPECT_THAT(store.Take(), IsEmpty());
  Advance(seconds(10));
  EXPECT_EQ(store.TakeAndStart().outcome, Outcome::kDone);
  EXPECT_EQ(store.Status(id), RunStatus::kRunning);
  EXPECT_FALSE(store.Info(id).error);
}

TEST_P(RunRequests, APauseUntilSomeTimeBecomesOneUntilItsResume) {
  auto store = OpenRuns();
  const auto id = store.Trigger();
  const auto pause = [](workflow::SuspendRequest& request) {
    request.is_pause = true;
    request.delay = seconds(10);
  };
  EXPECT_EQ(store.Suspend(store.TakeAndStart(), pause), Outcome::kPaused);
  store.Job([id](driver::Connection& connection) { workflow::PauseRun(connection, id); });
  Advance(std::chrono::hours(1));
  EXPECT_THAT(store.Take(), IsEmpty());
  EXPECT_EQ(store.Status(id), RunStatus::kPaused);
  store.Job([id](driver::Connection& connection) { workflow::ResumeRun(connection, id); });
  EXPECT_EQ(store.TakeAndStart().run.id, id);
  EXPECT_THAT(store.Damage(), IsEmpty());
}

TEST_P(RunRequests, ARunThatIsStartedWithoutItsMessageIsNotForgotten) {
  auto store = OpenRuns();
  const auto waiting = store.Trigger();
  store.Suspend(store.TakeAndStart(),
                [](auto& request) { request.waits_for_events = {"never sent"}; });
  const auto paused = store.Trigger();
  store.Suspend(store.TakeAndStart(), [](auto& request) { request.is_pause = true; });
  EXPECT_THAT(store.Take(), IsEmpty());
  for (const auto id : {waiting, paused}) {
    const auto by_hand = store.Start(id, 0);
    EXPECT_EQ(by_hand.outcome, Outcome::kDone);
    const auto taken = store.TakeAndStart();
    EXPECT_EQ(taken.run.id, id) << "its message is there for a worker";
    EXPECT_EQ(store.Record(by_hand, StepOf("a")), Outcome::kStale);
    EXPECT_EQ(store.Finish(taken), Outcome::kDone);
  }
  EXPECT_THAT(store.Damage(), IsEmpty());
}

TEST_P(RunRequests, ManyTravelTogether) {
  auto store = OpenRuns();
  constexpr int kRuns = 100;
  for (int i = 0; i < kRuns; ++i) store.Trigger();
  const auto taken = store.Take(kRuns);
  ASSERT_EQ(taken.size(), 100U);
  std::vector<Future<Started>> starts;
  starts.reserve(kRuns);
  for (const auto& message : taken) {
    starts.push_back(store.StartAsync(message.id, message.lease_token));
  }
  std::vector<Future<Outcome>> records;
  records.reserve(kRuns);
  std::vector<Started> runs;
  runs.reserve(kRuns);
  for (auto& start : starts) runs.push_back(start.Get());
  for (const auto& run : runs) records.push_back(store.RecordAsync(run, StepOf("step")));
  for (auto& record : records) EXPECT_EQ(record.Get(), Outcome::kDone);
  for (const auto& run : runs) EXPECT_EQ(store.Finish(run), Outcome::kDone);
  EXPECT_EQ(store.Read([](driver::Connection& connection) {
    return workflow::CountRuns(connection, {.statuses = {RunStatus::kSuccess}});
  }),
            kRuns);
  EXPECT_THAT(store.Damage(), IsEmpty());
}

}  // namespace
}  // namespace pgqrs::testing
