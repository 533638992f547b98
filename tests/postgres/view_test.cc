#include <cstddef>
#include <stdexcept>
#include <string>
#include <vector>

#include "postgres/postgres_test.h"
#include "support/messages.h"

namespace pgqrs::testing {
namespace {

class PostgresMessagesView : public PostgresTest {
 protected:
  // What the server says to an insertion with these columns and values.
  std::string Refusal(const std::string& columns, const std::string& values) {
    return MessageOf<std::runtime_error>([&] { Insert(columns, values); });
  }

  void Insert(const std::string& columns, const std::string& values) {
    Shell().Execute("INSERT INTO pgqrs_messages (" + columns + ") VALUES (" + values + ")");
  }
};

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

TEST_F(PostgresMessagesView, AnInsertionEnqueues) {
  auto store = Open();
  store.Queue("jobs");
  const auto id = Shell().QueryInt(
      R"(INSERT INTO pgqrs_messages (queue_name, payload) VALUES ('jobs', '{"to": "ada"}')
      RETURNING id)");
  ExpectOrdinary(store, id, R"({"to": "ada"})");
}

TEST_F(PostgresMessagesView, PriorityAndVisibleTimeMayBeGiven) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  Insert("queue_name, payload, priority", "'jobs', '1', 9");
  Insert("queue_name, payload, priority", "'jobs', '2', 0");
  Insert("queue_name, payload, visible_at", "'jobs', '3', '2100-01-01'");
  Insert("queue_name, payload, visible_at", "'jobs', '4', '1970-01-01'");
  EXPECT_THAT(TextsOf(queue.DequeueBatch(10)), ElementsAre("2", "4", "1"));
  EXPECT_EQ(queue.Metrics().delayed, 1);
}

TEST_F(PostgresMessagesView, ManyRowsOfAQueryAreEnqueuedInTheirOrder) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  Shell().Execute(
      "INSERT INTO pgqrs_messages (queue_name, payload) "
      "SELECT 'jobs', to_jsonb(i) FROM generate_series(1, 5) AS i");
  EXPECT_THAT(TextsOf(queue.DequeueBatch(10)), ElementsAre("1", "2", "3", "4", "5"));
}

TEST_F(PostgresMessagesView, AnInsertionWakesAWaitingConsumer) {
  config().fallback_poll_interval = hours(1);
  auto store = Open();
  auto waiting = store.Queue("jobs").DequeueWaitAsync(minutes(1));
  AwaitWaitingConsumers(store, 1);
  Insert("queue_name, payload", "'jobs', '[1]'");
  const auto message = waiting.Get();
  ASSERT_TRUE(message);
  EXPECT_EQ(message->payload().text(), "[1]");
}

TEST_F(PostgresMessagesView, BadInputIsRefusedWithWordsAndNothingIsStored) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  EXPECT_THAT(Refusal("queue_name, payload", "'none', '1'"), HasSubstr("there is no queue"));
  EXPECT_THAT(Refusal("payload", "'1'"), HasSubstr("queue: is NULL"));
  EXPECT_THAT(Refusal("queue_name", "'jobs'"), HasSubstr("payload: is NULL"));
  EXPECT_THAT(Refusal("queue_name, payload", "'jobs', 'no json'"), HasSubstr("type json"));
  EXPECT_THAT(Refusal("queue_name, payload, priority", "'jobs', '1', 10"), HasSubstr("priority"));
  EXPECT_THAT(Refusal("queue_name, payload, visible_at", "'jobs', '1', 'infinity'"),
              HasSubstr("visible_at"));
  EXPECT_FALSE(queue.Dequeue());
  EXPECT_EQ(Shell().QueryInt("SELECT count(*) FROM pgqrs_batches"), 0);
}

TEST_F(PostgresMessagesView, RowsCannotBeChangedThroughIt) {
  auto store = Open();
  store.Queue("jobs").Enqueue("x");
  auto shell = Shell();
  EXPECT_THROW(shell.Execute("DELETE FROM pgqrs_messages"), std::runtime_error);
  EXPECT_THROW(shell.Execute("UPDATE pgqrs_messages SET priority = 0"), std::runtime_error);
  EXPECT_TRUE(store.Queue("jobs").Dequeue());
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
