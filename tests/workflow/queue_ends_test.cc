// What happens to a run when something happens to its message.
#include "queue/archive.h"
#include "queue/queues.h"
#include "workflow/workflow_test.h"

namespace pgqrs::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

class RunMessages : public WorkflowTest {
 protected:
  // Settles the message of a run under its lease.
  static bool Settle(RunStore& store, const queue::TakenMessage& message,
                     queue::SettleRequest::Action action) {
    return store
        .Send<queue::SettleRequest>(
            [&](queue::SettleRequest& request) {
              request.action = action;
              request.text = "no good";
              request.targets.push_back({message.id, message.lease_token, store.ref()->id});
            },
            [](queue::SettleRequest& request) { return bool{request.answers.at(0)}; })
        .Get();
  }

  static void Purge(RunStore& store) { store.Steps(queue::QueuePurge(store.ref()->name)); }

  static void Delete(RunStore& store, bool force) {
    store.Steps(queue::QueueDeletion(store.ref()->name, force, std::chrono::hours(1)));
  }

  // A hundred.
  static std::vector<std::int64_t> TriggerChildren(RunStore& store, const Started& run,
                                                   const RunStore& children) {
    std::vector<std::int64_t> ids;
    for (int i = 0; i < 100; ++i) {
      const auto name = "child " + std::to_string(i);
      ids.push_back(store.Child(run, StepOf(name, std::nullopt, i), children));
    }
    return ids;
  }
};
PGQRS_ON_EVERY_BACKEND(RunMessages);

TEST_P(RunMessages, ADeadLetterIsAnErrorAndItsReplayQueuesTheRunAgain) {
  auto store = OpenRuns();
  const auto id = store.Trigger();
  const auto taken = store.Take();
  EXPECT_TRUE(Settle(store, taken[0], queue::SettleRequest::Action::kDeadLetter));
  EXPECT_EQ(store.Status(id), RunStatus::kError);
  EXPECT_THAT(store.Info(id).error->text(), HasSubstr("no good"));
  EXPECT_THAT(store.Damage(), IsEmpty());
  EXPECT_TRUE(store.Job([&](driver::Connection& connection) {
    return queue::ReplayDeadLetter(connection, store.ref()->id, id);
  }));
  EXPECT_EQ(store.Status(id), RunStatus::kQueued);
  EXPECT_EQ(store.Finish(store.TakeAndStart()), Outcome::kDone);
  EXPECT_THAT(store.Damage(), IsEmpty());
}

TEST_P(RunMessages, TheRunOfADeletedMessageIsCancelled) {
  auto store = OpenRuns();
  const auto id = store.Trigger();
  const auto taken = store.Take();
  const auto run = store.Start(id, taken[0].lease_token);
  EXPECT_TRUE(Settle(store, taken[0], queue::SettleRequest::Action::kDelete));
  EXPECT_EQ(store.Status(id), RunStatus::kCancelled);
  EXPECT_EQ(store.Record(run, StepOf("a")), Outcome::kCancelled);
  EXPECT_THAT(store.StepsOf(id), IsEmpty());
  EXPECT_THAT(store.Damage(), IsEmpty());
}

TEST_P(RunMessages, APurgeCancelsWhatNobodyHolds) {
  auto store = OpenRuns();
  const auto held = store.Trigger();
  const auto run = store.TakeAndStart();
  const auto waiting = store.Trigger();
  const auto delayed = store.Trigger("later", std::chrono::hours(1));
  Purge(store);
  EXPECT_EQ(store.Status(waiting), RunStatus::kCancelled);
  EXPECT_EQ(store.Status(delayed), RunStatus::kCancelled);
  EXPECT_EQ(store.Status(held), RunStatus::kRunning);
  EXPECT_EQ(store.Finish(run), Outcome::kDone);
  EXPECT_THAT(store.Damage(), IsEmpty());
}

TEST_P(RunMessages, TheParentOfWhatIsPurgedIsToldAndItsChildrenAreCancelled) {
  auto store = OpenRuns();
  auto middle = store.With("middle");
  auto last = store.With("last");
  store.Trigger();
  const auto run = store.TakeAndStart();
  const auto child_id = store.Child(run, StepOf("child", std::nullopt), middle);
  const auto child = middle.TakeAndStart();
  const auto grandchild_id = middle.Child(child, StepOf("grandchild", std::nullopt), last);
  middle.Suspend(child, [](auto& request) { request.waits_for_children = true; });
  store.Suspend(run, [](auto& request) { request.waits_for_children = true; });
  Purge(middle);
  EXPECT_EQ(middle.Status(child_id), RunStatus::kCancelled);
  EXPECT_EQ(store.TakeAndStart().steps.at(0).status, StepStatus::kError);
  EXPECT_EQ(last.Status(grandchild_id), RunStatus::kCancelling);
  EXPECT_EQ(last.TakeAndStart().outcome, Outcome::kCancelled);
  EXPECT_THAT(store.Damage(), IsEmpty());
}

// The transaction that ends a run marks some of its children; one after another the ends of these
// mark the others.
TEST_P(RunMessages, ManyChildrenAreCancelledThoughNobodyWalksThroughThem) {
  auto store = OpenRuns();
  auto children = store.With("children");
  const auto id = store.Trigger();
  const auto taken = store.Take();
  const auto ids = TriggerChildren(store, store.Start(id, taken[0].lease_token), children);
  EXPECT_TRUE(Settle(store, taken[0], queue::SettleRequest::Action::kDelete));
  EXPECT_EQ(children.Status(ids.back()), RunStatus::kQueued) << "not in one transaction";
  for (std::size_t i = 0; i < ids.size(); ++i) {
    EXPECT_EQ(children.TakeAndStart().outcome, Outcome::kCancelled);
  }
  for (const auto child : ids) EXPECT_EQ(children.Status(child), RunStatus::kCancelled);
  EXPECT_THAT(store.Damage(), IsEmpty());
}

TEST_P(RunMessages, TheChildrenOfAWorkflowThatIsDeletedAreAllCancelled) {
  auto store = OpenRuns();
  auto children = store.With("children");
  store.Trigger();
  const auto ids = TriggerChildren(store, store.TakeAndStart(), children);
  Delete(store, true);
  for (const auto child : ids) EXPECT_EQ(children.Status(child), RunStatus::kCancelling);
  EXPECT_THAT(store.Damage(), IsEmpty());
}

TEST_P(RunMessages, AWorkflowGoesWithItsQueue) {
  auto store = OpenRuns();
  const auto id = store.Trigger();
  store.Record(store.TakeAndStart(), StepOf("a"));
  store.Send(id, "event", "x");
  EXPECT_THROW(Delete(store, false), ValidationError);
  Delete(store, true);
  EXPECT_THROW(store.Info(id), ValidationError);
  EXPECT_THAT(store.StepsOf(id), IsEmpty());
  EXPECT_THAT(store.Damage(), IsEmpty());
  EXPECT_THROW(store.Trigger(), QueueNotFoundError);
  EXPECT_THROW(store.TriggerWithKey("key"), QueueNotFoundError);
  auto again = store.With("flow");
  again.Trigger();
  EXPECT_EQ(again.Finish(again.TakeAndStart()), Outcome::kDone);
}

TEST_P(RunMessages, ABuriedChildIsAnErrorToItsParent) {
  auto store = OpenRuns();
  auto children = store.With("children");
  store.Trigger();
  const auto run = store.TakeAndStart();
  const auto child_id = store.Child(run, StepOf("child", std::nullopt), children);
  store.Suspend(run, [](auto& request) { request.waits_for_children = true; });
  for (int i = 0; i < 5; ++i) {
    children.TakeAndStart();
    Advance(std::chrono::seconds(31));
  }
  EXPECT_THAT(children.Take(), IsEmpty());
  EXPECT_EQ(children.Status(child_id), RunStatus::kError);
  const auto again = store.TakeAndStart();
  EXPECT_THAT(again.steps.at(0).error->text(), HasSubstr("without an ack"));
  EXPECT_THAT(store.Damage(), IsEmpty());
}

TEST_P(RunMessages, ABuriedChildWakesAParentWhoseWorkerWaits) {
  config().fallback_poll_interval = std::chrono::hours(1);
  auto store = OpenRuns();
  auto children = store.With("children");
  const auto id = store.Trigger();
  const auto run = store.TakeAndStart();
  store.Child(run, StepOf("child", std::nullopt), children);
  store.Suspend(run, [](auto& request) { request.waits_for_children = true; });
  auto waiting = store.Send<queue::DequeueRequest>(
      [&](queue::DequeueRequest& request) {
        request.queue = store.ref();
        request.worker = store.core().own_worker();
        request.lease = std::chrono::seconds(30);
        request.wait_until = std::chrono::steady_clock::now() + std::chrono::seconds(30);
      },
      [](queue::DequeueRequest& request) { return std::move(request.taken); });
  for (int i = 0; i < 5; ++i) {
    children.TakeAndStart();
    Advance(std::chrono::seconds(31));
  }
  EXPECT_THAT(children.Take(), IsEmpty());
  const auto taken = waiting.Get();
  ASSERT_EQ(taken.size(), 1U);
  EXPECT_EQ(taken[0].id, id);
}

}  // namespace
}  // namespace pgqrs::testing
