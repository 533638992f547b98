// What callers hear when a transaction fails, and what is stored then.
#include <atomic>
#include <mutex>
#include <new>
#include <set>

#include "api/workflow_calls.h"
#include "engine/engine_test.h"

namespace pgqrs::testing {
namespace {

using driver::Fault;

class CommitFailure : public EngineTest {
 protected:
  // Enqueues two messages as one group that fails like this, and gives the error, which has to be
  // the same for both.
  template <typename E>
  std::string ErrorOfGroup(Queue& queue, Faults::Decide decide) {
    HeldLane held(faults(), queue);
    auto first = queue.EnqueueAsync("first");
    auto second = queue.EnqueueAsync("second");
    held.Release(std::move(decide));
    auto error = MessageOf<E>([&] { first.Get(); });
    EXPECT_EQ(MessageOf<E>([&] { second.Get(); }), error);
    return error;
  }
};

TEST_F(CommitFailure, OfTheStorageIsAnInternalErrorOfTheWholeGroup) {
  auto queue = Open();
  EXPECT_THAT(ErrorOfGroup<InternalError>(queue, FailOnce(Moment::kCommit, Fault::kStorage)),
              HasSubstr("an injected fault"));
  EXPECT_EQ(Metrics().failed_requests, 2U);
  EXPECT_EQ(Metrics().retried_groups, 0U);
  EXPECT_GT(queue.Enqueue("next"), 0);
  EXPECT_THAT(StoredPayloads(), ElementsAre("next"));
  ExpectSound();
}

TEST_F(CommitFailure, OfABusyDatabaseIsAConnectionErrorOfTheWholeGroup) {
  auto queue = Open();
  EXPECT_THAT(ErrorOfGroup<PgqrsConnectionError>(queue, FailOnce(Moment::kCommit, Fault::kBusy)),
              AllOf(HasSubstr("did not become free in time"), HasSubstr("an injected fault")));
  EXPECT_GT(queue.Enqueue("next"), 0);
  EXPECT_THAT(StoredPayloads(), ElementsAre("next"));
}

TEST_F(CommitFailure, AtTheBeginningFailsTheWholeGroup) {
  auto queue = Open();
  EXPECT_THAT(ErrorOfGroup<PgqrsConnectionError>(queue, FailOnce(Moment::kBegin, Fault::kBusy)),
              HasSubstr("did not become free in time"));
  EXPECT_GT(queue.Enqueue("next"), 0);
  EXPECT_THAT(StoredPayloads(), ElementsAre("next"));
}

TEST_F(CommitFailure, ByTheDataIsTriedAgainOneByOne) {
  auto queue = Open();
  HeldLane held(faults(), queue);
  auto first = queue.EnqueueAsync("first");
  auto second = queue.EnqueueAsync("second");
  held.Release(FailOnce(Moment::kCommit, Fault::kStatement));
  EXPECT_LT(first.Get(), second.Get());
  EXPECT_EQ(Metrics().retried_groups, 1U);
  EXPECT_THAT(StoredPayloads(), ElementsAre("first", "second"));
}

TEST_F(CommitFailure, ByTheDataTakesBackTheNumbersOfTriggersToo) {
  auto queue = Open();
  const auto trigger = [&](const std::string& key) {
    return internal::TriggerRunAsync(core().shared_from_this(), {.workflow = "flow"}, Json("input"),
                                     {.idempotency_key = key});
  };
  trigger("before").Get();
  HeldLane held(faults(), queue);
  auto message = queue.EnqueueAsync("first");
  auto run = trigger("key");
  held.Release(FailOnce(Moment::kCommit, Fault::kStatement));
  const auto run_id = run.Get().id();
  std::set<std::int64_t> ids = {message.Get(), run_id};
  EXPECT_EQ(Metrics().retried_groups, 1U);
  ids.insert(queue.Enqueue("second"));
  ids.insert(trigger("after").Get().id());
  EXPECT_EQ(ids.size(), 4U);
  EXPECT_EQ(trigger("key").Get().id(), run_id);
  ExpectSound();
}

TEST_F(CommitFailure, OfUnknownOutcomeSaysSo) {
  auto queue = Open();
  EXPECT_THAT(ErrorOfGroup<InternalError>(queue, FailOnce(Moment::kCommit, Fault::kUnknown)),
              AllOf(HasSubstr("an injected fault"), HasSubstr("the outcome is unknown")));
  EXPECT_GT(queue.Enqueue("next"), 0);
  EXPECT_THAT(StoredPayloads(), ElementsAre("next"));
  ExpectSound();
}

TEST_F(CommitFailure, ByAnExceptionOfAnotherTypeIsOfUnknownOutcome) {
  auto queue = Open();
  for (const auto moment : {Moment::kCommit, Moment::kCommitted}) {
    const auto error = ErrorOfGroup<InternalError>(
        queue,
        [moment, has_failed = std::make_shared<std::atomic<bool>>(false)](
            const Step& step) -> std::optional<driver::Fault> {
          if (step.moment == moment && !has_failed->exchange(true)) throw std::bad_alloc();
          return std::nullopt;
        });
    EXPECT_THAT(error, AllOf(HasSubstr(std::bad_alloc().what()), HasSubstr("outcome is unknown")));
  }
  EXPECT_EQ(Metrics().retried_groups, 0U) << "what may be there must not be done again";
  EXPECT_GT(queue.Enqueue("next"), 0);
  EXPECT_THAT(StoredPayloads(), ElementsAre("first", "second", "next"));
  ExpectSound();
}

TEST_F(CommitFailure, OfUnknownOutcomeThatHappenedLeavesEverythingInOrder) {
  auto queue = Open();
  queue.Enqueue("before");
  EXPECT_THAT(ErrorOfGroup<InternalError>(queue, FailOnce(Moment::kCommitted, Fault::kUnknown)),
              HasSubstr("the outcome is unknown"));
  // The ids of the group are in use.
  EXPECT_GT(queue.Enqueue("next"), 0);
  EXPECT_THAT(StoredPayloads(), ElementsAre("before", "first", "second", "next"));
  ExpectSound();
}

TEST_F(CommitFailure, OfUnknownOutcomeGivesNoLeaseTokenTwice) {
  auto queue = Open();
  queue.EnqueueBatch(std::vector<Json>{"lost", "next"});
  queue.Dequeue(kForever)->Release();  // A block of tokens is there from now on.
  faults().Set(FailOnce(Moment::kCommitted, Fault::kUnknown));
  EXPECT_THROW(queue.Dequeue(kForever), InternalError);
  ASSERT_TRUE(queue.Dequeue(kForever));
  SqliteShell shell(path());
  EXPECT_EQ(shell.QueryInt("SELECT count(DISTINCT lease_token) FROM pgqrs_slices"), 2);
}

TEST_F(CommitFailure, OfUnknownOutcomeLosesNoMessageUntilItsLeaseEnds) {
  auto queue = Open();
  queue.Enqueue("message");
  faults().Set(FailOnce(Moment::kCommitted, Fault::kUnknown));
  EXPECT_THROW(queue.Dequeue(kForever), InternalError);
  Close();
  EXPECT_TRUE(OpenAnother().Queue("jobs").Dequeue());
}

TEST_F(CommitFailure, OfUnknownOutcomeLeavesAWorkerThatHasARow) {
  auto queue = Open();
  faults().Set(FailOnce(Moment::kCommit, Fault::kUnknown));
  EXPECT_THROW(queue.Enqueue("lost"), InternalError);
  queue.Enqueue("next");
  SqliteShell shell(path());
  EXPECT_EQ(shell.QueryInt("SELECT count(*) FROM pgqrs_workers WHERE id = " +
                           std::to_string(core().own_worker()->id)),
            1);
}

TEST_F(CommitFailure, OfAJobIsItsError) {
  auto queue = Open();
  faults().Set(FailOnce(Moment::kCommit, Fault::kStorage));
  EXPECT_THROW(queue.NewConsumer(), InternalError);
  EXPECT_NO_THROW(queue.NewConsumer());
  faults().Set(FailOnce(Moment::kBegin, Fault::kBusy));
  EXPECT_THROW(queue.ReplayDeadLetters(), PgqrsConnectionError);
  EXPECT_EQ(queue.ReplayDeadLetters(), 0);
}

TEST_F(CommitFailure, OfADequeueLeavesItsMessagesToTheNext) {
  auto queue = Open();
  queue.Enqueue("message");
  faults().Set(FailOnce(Moment::kCommit, Fault::kStorage));
  EXPECT_THROW(queue.DequeueWait(kForever), InternalError);
  const auto message = queue.Dequeue();
  ASSERT_TRUE(message);
  EXPECT_EQ(message->read_count(), 1);
}

TEST_F(CommitFailure, OfAnAckLeavesTheLease) {
  auto queue = Open();
  queue.Enqueue("message");
  auto message = queue.Dequeue();
  ASSERT_TRUE(message);
  faults().Set(FailOnce(Moment::kCommit, Fault::kBusy));
  EXPECT_THROW(message->Ack(), PgqrsConnectionError);
  EXPECT_TRUE(message->Ack());
}

TEST_F(CommitFailure, OfAnAckThatHappenedMakesTheSecondAnswerFalse) {
  auto queue = Open();
  queue.Enqueue("message");
  auto message = queue.Dequeue();
  ASSERT_TRUE(message);
  faults().Set(FailOnce(Moment::kCommitted, Fault::kUnknown));
  EXPECT_THROW(message->Ack(), InternalError);
  EXPECT_FALSE(message->Ack());
  EXPECT_EQ(queue.Metrics().archived, 1);
}

TEST_F(CommitFailure, IsLoggedInTheWordsOfTheDatabase) {
  std::mutex mutex;
  std::vector<std::string> records;
  config().log = [&](const LogRecord& record) {
    const std::lock_guard lock(mutex);
    if (record.level != LogLevel::kError) return;
    for (const auto& field : record.fields) records.push_back(field.value);
  };
  auto queue = Open();
  faults().Set(FailOnce(Moment::kCommit, Fault::kStorage));
  EXPECT_THROW(queue.Enqueue("message"), InternalError);
  Close();
  EXPECT_THAT(records, ElementsAre("an injected fault"));
}

}  // namespace
}  // namespace pgqrs::testing
