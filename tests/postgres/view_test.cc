#include <cstddef>
#include <string>
#include <vector>

#include "postgres/postgres_test.h"

namespace pgqrs::testing {
namespace {

using PostgresMessagesView = PostgresTest;

TEST_F(PostgresMessagesView, EachMessageIsShownWithItsState) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  const std::vector<Json> payloads = {"done", "dead", "held", "waits"};
  const auto ids = queue.EnqueueBatch(payloads, {.priority = 3});
  queue.Enqueue("later", {.delay = hours(1)});
  auto taken = queue.DequeueBatch(3);
  ASSERT_TRUE(taken[0].Ack());
  ASSERT_TRUE(taken[1].DeadLetter("broken"));
  auto shell = Shell();
  EXPECT_THAT(shell.Query("SELECT queue_name, payload, state, priority, read_ct, reason "
                          "FROM pgqrs_messages ORDER BY id"),
              ElementsAre(ElementsAre("jobs", "\"done\"", "archived", "3", "1", "NULL"),
                          ElementsAre("jobs", "\"dead\"", "dead", "3", "1", "broken"),
                          ElementsAre("jobs", "\"held\"", "leased", "3", "1", "NULL"),
                          ElementsAre("jobs", "\"waits\"", "waiting", "3", "0", "NULL"),
                          ElementsAre("jobs", "\"later\"", "delayed", "5", "0", "NULL")));
  EXPECT_EQ(shell.QueryInt("SELECT min(id) FROM pgqrs_messages"), ids[0]);
  EXPECT_EQ(shell.QueryInt("SELECT worker_id FROM pgqrs_messages WHERE state = 'leased'"),
            store.worker_id());
}

TEST_F(PostgresMessagesView, ItSaysTheSameAsFindMessage) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  const auto id = queue.Enqueue("x");
  auto taken = queue.Dequeue();
  ASSERT_TRUE(taken);
  const auto micros = [&](const std::string& column) {
    return Shell().QueryInt("SELECT (extract(epoch FROM " + column +
                            ") * 1000000)::bigint FROM pgqrs_messages");
  };
  const auto leased = store.FindMessage(id);
  ASSERT_TRUE(leased);
  EXPECT_EQ(micros("enqueued_at"), leased->enqueued_at.time_since_epoch().count());
  EXPECT_EQ(micros("visible_at"), leased->visible_at->time_since_epoch().count());
  EXPECT_EQ(micros("dequeued_at"), leased->dequeued_at->time_since_epoch().count());
  EXPECT_EQ(Shell().QueryInt("SELECT producer_worker_id FROM pgqrs_messages"), store.worker_id());
  ASSERT_TRUE(taken->Ack());
  EXPECT_EQ(micros("archived_at"), store.FindMessage(id)->archived_at->time_since_epoch().count());
  EXPECT_EQ(Shell().QueryText("SELECT visible_at FROM pgqrs_messages"), "NULL");
}

TEST_F(PostgresMessagesView, EveryMessageOfAFullBatchIsShown) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  std::vector<Json> payloads;
  payloads.reserve(64);
  for (int i = 0; i < 64; ++i) payloads.push_back(Json::Parse(std::to_string(i)));
  const auto ids = queue.EnqueueBatch(payloads);
  // The last one's bit is the sign of the mask.
  const auto rows = Shell().Query("SELECT id, payload FROM pgqrs_messages ORDER BY id");
  ASSERT_EQ(rows.size(), ids.size());
  for (std::size_t i = 0; i < ids.size(); ++i) {
    EXPECT_THAT(rows[i], ElementsAre(std::to_string(ids[i]), std::to_string(i)));
  }
}

TEST_F(PostgresMessagesView, ItShowsTheNumbersOfTheMetrics) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  const std::vector<Json> payloads(150, "x");
  queue.EnqueueBatch(payloads);
  auto taken = queue.DequeueBatch(100);
  ASSERT_THAT(taken, SizeIs(100));
  for (std::size_t i = 0; i < 30; i += 3) {
    taken[i].Ack();
    taken[i + 1].Release(hours(1));
    taken[i + 2].Delete();
  }
  const auto metrics = queue.Metrics();
  auto shell = Shell();
  const auto count = [&](const std::string& state) {
    return shell.QueryInt("SELECT count(*) FROM pgqrs_messages WHERE state = '" + state + "'");
  };
  EXPECT_EQ(count("waiting"), metrics.waiting);
  EXPECT_EQ(count("delayed"), metrics.delayed);
  EXPECT_EQ(count("leased"), metrics.leased);
  EXPECT_EQ(count("archived"), metrics.archived);
  EXPECT_EQ(shell.QueryInt("SELECT count(*) FROM pgqrs_messages"), 140);
}

TEST_F(PostgresMessagesView, NothingOfARemovedMessageCanBeReadFromTheTables) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  const std::vector<Json> payloads = {"secret 1", "secret 2", "secret 3", "stays"};
  queue.EnqueueBatch(payloads);
  queue.Enqueue("secret 4");
  auto taken = queue.DequeueBatch(4);
  ASSERT_THAT(taken, SizeIs(4));
  ASSERT_TRUE(taken[0].Delete());
  ASSERT_TRUE(taken[1].DeadLetter("broken"));
  ASSERT_TRUE(taken[2].Ack());
  EXPECT_EQ(queue.PurgeDeadLetters(), 1);
  EXPECT_EQ(queue.ApplyRetention({.max_count = 0}), 1);
  EXPECT_EQ(store.PurgeQueue("jobs"), 1);
  auto shell = Shell();
  const std::string count = "SELECT count(*) FROM pgqrs_batches WHERE payloads::text LIKE ";
  EXPECT_EQ(shell.QueryInt(count + "'%secret%'"), 0);
  EXPECT_EQ(shell.QueryInt(count + "'%stays%'"), 1);
}

}  // namespace
}  // namespace pgqrs::testing
