// A connection that is lost when nobody can tell whether its transaction was committed.

#include <set>
#include <vector>

#include "postgres/postgres_test.h"
#include "support/cutting_proxy.h"
#include "support/messages.h"

namespace pgqrs::testing {
namespace {

using When = CuttingProxy::When;
using ::testing::SizeIs;

// The parameter says when the connection is cut.
class LostAnswer : public PostgresTest, public ::testing::WithParamInterface<When> {
 protected:
  LostAnswer() {
    config().dsn = proxy_.dsn();
    // Registers the store's worker, and has each statement prepared.
    queue_.Enqueue("first");
    store_.Ack(queue_.Dequeue().value().id());
  }

  void CutAt(const std::string& statement) { proxy_.CutAt(statement, GetParam()); }

  // Whether the cut came, and everything adds up.
  void ExpectCounts(std::int64_t waiting, std::int64_t leased, std::int64_t archived) {
    EXPECT_EQ(proxy_.cuts(), 1);
    const auto metrics = queue_.Metrics();
    EXPECT_EQ(metrics.waiting, waiting);
    EXPECT_EQ(metrics.leased, leased);
    EXPECT_EQ(metrics.archived, archived);
    store_.Admin().Verify();
  }

  CuttingProxy proxy_{config().dsn};
  PgqrsStore store_{PgqrsStore::Connect(Config(proxy_.dsn()))};
  Queue queue_{store_.Queue("jobs")};
};

INSTANTIATE_TEST_SUITE_P(Cut, LostAnswer, ::testing::Values(When::kBefore, When::kAfter),
                         [](const auto& tested) {
                           return tested.param == When::kBefore ? "Before" : "After";
                         });

TEST_P(LostAnswer, AnEnqueueIsThereOnce) {
  CutAt("EnqueueBatches");

  const std::vector<Json> payloads(100, "x");
  const auto ids = queue_.EnqueueBatch(payloads);

  EXPECT_THAT(ids, SizeIs(100));
  ExpectCounts(100, 0, 1);
  EXPECT_EQ(store_.FindMessage(ids.back()).value().state, MessageState::kWaiting);
}

TEST_P(LostAnswer, ALoneEnqueueIsThereOnce) {
  CutAt("EnqueueBatch");

  const auto id = queue_.Enqueue("x");

  ExpectCounts(1, 0, 1);
  EXPECT_EQ(queue_.Dequeue().value().id(), id);
}

TEST_P(LostAnswer, WhoGetsNothingIsToldSo) {
  const auto id = queue_.Enqueue("x");
  CutAt("TakeMessages");

  auto first = queue_.DequeueAsync();
  auto second = queue_.DequeueAsync();

  std::vector<std::int64_t> ids;
  for (auto* dequeue : {&first, &second}) {
    if (const auto message = dequeue->Get()) ids.push_back(message->id());
  }
  EXPECT_EQ(ids, std::vector{id});
  ExpectCounts(0, 1, 1);
}

// Mostly all of them are one statement.
TEST_P(LostAnswer, DequeuesOfSeveralWorkersAreHandedOutOnce) {
  std::vector<Consumer> consumers;
  consumers.reserve(3);
  for (int i = 0; i < 3; ++i) consumers.push_back(queue_.NewConsumer());
  queue_.EnqueueBatch(std::vector<Json>(100, "x"));
  CutAt("TakeMessages");

  std::vector<Future<std::vector<Message>>> dequeues;
  dequeues.reserve(consumers.size());
  for (auto& consumer : consumers) dequeues.push_back(consumer.DequeueBatchAsync(25));

  std::set<std::int64_t> ids;
  for (std::size_t i = 0; i < dequeues.size(); ++i) {
    auto taken = dequeues[i].Get();
    EXPECT_THAT(taken, SizeIs(25));
    for (auto& message : taken) {
      EXPECT_TRUE(ids.insert(message.id()).second);
      EXPECT_EQ(message.worker_id(), consumers[i].worker_id());
      EXPECT_EQ(message.read_count(), 1);
      EXPECT_TRUE(message.Ack());
    }
  }
  ExpectCounts(25, 0, 76);
}

TEST_P(LostAnswer, ADequeueIsHandedOutOnce) {
  const std::vector<Json> payloads(100, "x");
  queue_.EnqueueBatch(payloads);
  CutAt("TakeMessages");

  const auto taken = queue_.DequeueBatch(70);

  EXPECT_THAT(taken, SizeIs(70));
  for (const auto& message : taken) EXPECT_EQ(message.read_count(), 1);
  ExpectCounts(30, 70, 1);
  EXPECT_THAT(store_.Ack(taken), ::testing::Each(true));
}

TEST_P(LostAnswer, AnAckIsAnsweredWithTrueOnce) {
  const std::vector<Json> payloads(3, "x");
  queue_.EnqueueBatch(payloads);
  auto taken = queue_.DequeueBatch(2);
  CutAt("AckSlices");

  EXPECT_TRUE(taken[0].Ack());

  EXPECT_FALSE(taken[0].Ack());
  ExpectCounts(1, 1, 2);
}

TEST_P(LostAnswer, WhatTravelsTogetherIsRepeatedTogether) {
  const std::vector<Json> payloads(4, "x");
  queue_.EnqueueBatch(payloads);
  auto taken = queue_.DequeueBatch(2);
  CutAt("AckSlices");

  auto acked = store_.AckAsync(taken);
  auto next = queue_.DequeueBatchAsync(2);
  auto id = queue_.EnqueueAsync("more");

  EXPECT_THAT(acked.Get(), ::testing::ElementsAre(true, true));
  EXPECT_THAT(next.Get(), SizeIs(2));
  EXPECT_GT(id.Get(), 0);
  ExpectCounts(1, 2, 3);
}

// By the worker that holds it, without a token.
TEST_P(LostAnswer, AnAckByIdIsAnsweredWithTrueOnce) {
  queue_.Enqueue("x");
  const auto id = queue_.Dequeue().value().id();
  CutAt("AckSlices");

  EXPECT_TRUE(store_.Ack(id));

  EXPECT_FALSE(store_.Ack(id));
  ExpectCounts(0, 0, 2);
}

// What it did can not be seen afterwards.
TEST_P(LostAnswer, AReleaseSaysThatNobodyKnows) {
  queue_.Enqueue("x");
  auto message = queue_.Dequeue().value();
  CutAt("UpdateSlice");

  EXPECT_THAT(MessageOf<InternalError>([&] { message.Release(); }),
              ::testing::HasSubstr("the outcome is unknown"));
}

class ForgottenIds : public PostgresTest {};

// What a server does that crashes before the numbers that it gave are on its disk.
TEST_F(ForgottenIds, AnEnqueueUnderIdsThatAreInUseIsNoSuccess) {
  auto one = Open();
  auto two = Open();
  auto queue = one.Queue("jobs");
  queue.Enqueue("one");  // Reserves ids from 1 on.
  Shell().Execute("SELECT setval('pgqrs_batch_ids', 1)");
  auto same_queue = two.Queue("jobs");
  same_queue.Enqueue("two");

  EXPECT_THROW(queue.Enqueue("lost"), Error);

  EXPECT_EQ(queue.Metrics().waiting, 2);
}

class LostWhileIdle : public PostgresTest {};

// Not even a release is of unknown outcome.
TEST_F(LostWhileIdle, ConnectionsAreOpenedAgain) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  queue.Enqueue("x");
  auto message = queue.Dequeue().value();
  EXPECT_EQ(queue.Metrics().leased, 1);

  for (int i = 0; i < 3; ++i) {
    Shell().Execute(
        "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()");
    EXPECT_EQ(queue.Metrics().leased, 1);
    EXPECT_TRUE(message.Release());
    message = queue.Dequeue().value();
  }
  EXPECT_TRUE(message.Ack());
}

}  // namespace
}  // namespace pgqrs::testing
