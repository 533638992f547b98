#include <chrono>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "sqlite/sqlite_test.h"

namespace pgqrs::testing {
namespace {

class MessagesView : public SqliteTest {
 protected:
  // What SQLite says to an insertion with these columns and values; empty where it takes it.
  std::string Refusal(const std::string& columns, const std::string& values) {
    auto shell = Shell();
    try {
      shell.Execute("INSERT INTO pgqrs_messages (" + columns + ") VALUES (" + values + ")");
    } catch (const std::runtime_error& error) {
      return error.what();
    }
    return "";
  }
};

TEST_F(MessagesView, EachMessageIsShownWithItsState) {
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

TEST_F(MessagesView, ItShowsTheNumbersOfTheMetrics) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  const std::vector<Json> payloads(150, "x");
  queue.EnqueueBatch(payloads);
  auto taken = queue.DequeueBatch(100);
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

TEST_F(MessagesView, AnInsertionEnqueues) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  EXPECT_EQ(Refusal("queue_name, payload", R"('jobs', '{"to": "ada"}')"), "");
  auto message = queue.Dequeue();
  ASSERT_TRUE(message);
  EXPECT_EQ(message->payload().text(), R"({"to": "ada"})");
  EXPECT_EQ(message->priority(), 5);
  EXPECT_EQ(message->read_count(), 1);
  EXPECT_EQ(message->producer_worker_id(), 0);
  EXPECT_TRUE(message->Ack());
  store.Admin().Verify();
}

TEST_F(MessagesView, PriorityAndVisibleTimeMayBeGiven) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  EXPECT_EQ(Refusal("queue_name, payload, priority", "'jobs', '1', 9"), "");
  EXPECT_EQ(Refusal("queue_name, payload, priority", "'jobs', '2', 0"), "");
  EXPECT_EQ(Refusal("queue_name, payload, visible_at", "'jobs', '3', 4102444800000000"), "");
  EXPECT_EQ(Refusal("queue_name, payload, visible_at", "'jobs', '4', 17"), "") << "at once";
  std::vector<std::string> payloads;
  for (const auto& message : queue.DequeueBatch(10)) payloads.push_back(message.payload().text());
  EXPECT_THAT(payloads, ElementsAre("2", "4", "1"));
  EXPECT_EQ(queue.Metrics().delayed, 1);
}

TEST_F(MessagesView, IdsOfInsertionsAndEnqueuesNeverMeet) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  for (int i = 0; i < 5; ++i) {
    queue.Enqueue("x");
    EXPECT_EQ(Refusal("queue_name, payload", "'jobs', '1'"), "");
  }
  EXPECT_EQ(queue.DequeueBatch(20).size(), 10U);
  store.Admin().Verify();
}

TEST_F(MessagesView, AnInsertionWakesAWaitingConsumer) {
  config().fallback_poll_interval = minutes(10);
  auto store = Open();
  auto queue = store.Queue("jobs");
  auto waiting = queue.DequeueWaitAsync(minutes(5));
  while (store.EngineMetrics().waiting_consumers == 0) std::this_thread::yield();
  EXPECT_EQ(Refusal("queue_name, payload", "'jobs', '[1]'"), "");
  const auto message = waiting.Get();
  ASSERT_TRUE(message);
  EXPECT_EQ(message->payload().text(), "[1]");
}

TEST_F(MessagesView, BadInputIsRefusedWithWordsAndNothingIsStored) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  EXPECT_THAT(Refusal("queue_name, payload", "'none', '1'"), HasSubstr("names no queue"));
  EXPECT_THAT(Refusal("payload", "'1'"), HasSubstr("names no queue"));
  for (const std::string payload :
       {"NULL", "'not json'", "''", "1", "x'5b5d'", "'{\"a\":1'", "'1],[2'", "'1,2'"}) {
    EXPECT_THAT(Refusal("queue_name, payload", "'jobs', " + payload), HasSubstr("is not JSON text"))
        << payload;
  }
  for (const std::string priority : {"-1", "10", "'high'", "2.5"}) {
    EXPECT_THAT(Refusal("queue_name, payload, priority", "'jobs', '1', " + priority),
                HasSubstr("priority"))
        << priority;
  }
  for (const std::string time : {"'tomorrow'", "1.5"}) {
    EXPECT_THAT(Refusal("queue_name, payload, visible_at", "'jobs', '1', " + time),
                HasSubstr("visible_at"))
        << time;
  }
  EXPECT_FALSE(queue.Dequeue());
  EXPECT_EQ(Shell().QueryInt("SELECT count(*) FROM pgqrs_batches"), 0);
}

// SQLite's own functions look at such a text up to the NUL.
TEST_F(MessagesView, APayloadWithANulIsRefused) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  EXPECT_THAT(Refusal("queue_name, payload", "'jobs', '1' || char(0) || ',2'"),
              HasSubstr("is not JSON text"));
  EXPECT_FALSE(queue.Dequeue());
}

TEST_F(MessagesView, RowsCannotBeChangedThroughIt) {
  auto store = Open();
  store.Queue("jobs").Enqueue("x");
  auto shell = Shell();
  EXPECT_THROW(shell.Execute("DELETE FROM pgqrs_messages"), std::runtime_error);
  EXPECT_THROW(shell.Execute("UPDATE pgqrs_messages SET priority = 0"), std::runtime_error);
  EXPECT_TRUE(store.Queue("jobs").Dequeue());
}

TEST_F(MessagesView, NothingOfARemovedMessageCanBeReadFromTheTables) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  const std::vector<Json> payloads = {"secret 1", "secret 2", "secret 3", "stays"};
  queue.EnqueueBatch(payloads);
  queue.Enqueue("secret 4");
  auto taken = queue.DequeueBatch(4);
  ASSERT_TRUE(taken[0].Delete());
  ASSERT_TRUE(taken[1].DeadLetter("broken"));
  ASSERT_TRUE(taken[2].Ack());
  EXPECT_EQ(queue.PurgeDeadLetters(), 1);
  EXPECT_EQ(queue.ApplyRetention({.max_count = 0}), 1);
  EXPECT_EQ(store.PurgeQueue("jobs"), 1);
  auto shell = Shell();
  EXPECT_EQ(shell.QueryInt("SELECT count(*) FROM pgqrs_batches WHERE payloads LIKE '%secret%'"), 0);
  EXPECT_EQ(shell.QueryInt("SELECT count(*) FROM pgqrs_batches WHERE payloads LIKE '%stays%'"), 1);
}

}  // namespace
}  // namespace pgqrs::testing
