// Enqueueing by SQL, in transactions of others.
#include <chrono>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "driver/driver.h"
#include "postgres/postgres_test.h"
#include "queue/queues.h"
#include "support/messages.h"

namespace pgqrs::testing {
namespace {

class SqlEnqueue : public PostgresTest {
 protected:
  SqlEnqueue() {
    config().fallback_poll_interval = hours(1);
    config().heartbeat_interval = hours(1);
  }

  // What the server says to a call with these arguments. Empty where it takes them.
  std::string Refusal(const std::string& call) {
    return MessageOf<std::runtime_error>([&] { Shell().Execute("SELECT " + call); });
  }

  static std::int64_t Enqueue(PostgresShell& shell, const std::string& arguments) {
    return shell.QueryInt("SELECT pgqrs_enqueue(" + arguments + ")");
  }
};

TEST_F(SqlEnqueue, AMessageIsLikeAnyOther) {
  auto store = Open();
  store.Queue("jobs");
  auto shell = Shell();
  const auto id = Enqueue(shell, R"('jobs', '{"to": "ada"}')");
  ExpectOrdinary(store, id, R"({"to": "ada"})");
}

TEST_F(SqlEnqueue, ItHappensWithTheTransactionOfTheCaller) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  auto shell = Shell();
  shell.Execute("CREATE TABLE orders (id int PRIMARY KEY)");

  shell.Execute("BEGIN; INSERT INTO orders VALUES (1)");
  Enqueue(shell, "'jobs', '1'");
  EXPECT_FALSE(queue.Dequeue());
  shell.Execute("ROLLBACK");
  EXPECT_FALSE(queue.Dequeue());

  shell.Execute("BEGIN; INSERT INTO orders VALUES (2)");
  Enqueue(shell, "'jobs', '2'");
  shell.Execute("SAVEPOINT before");
  Enqueue(shell, "'jobs', '3'");
  shell.Execute("ROLLBACK TO before; COMMIT");
  EXPECT_THAT(TextsOf(queue.DequeueBatch(10)), ElementsAre("2"));
}

TEST_F(SqlEnqueue, OptionsAreGivenByName) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  auto shell = Shell();
  Enqueue(shell, "'jobs', '1', priority => 9");
  Enqueue(shell, "'jobs', '2', priority => 0");
  Enqueue(shell, "'jobs', '3', visible_at => '1999-12-31 23:59+00'");
  Enqueue(shell, "'jobs', '4', visible_at => '-infinity', priority => NULL");
  Enqueue(shell, "'jobs', '5', delay => '1 hour'");
  Enqueue(shell, "'jobs', '6', visible_at => '2100-01-01 00:00+00', priority => 0");
  EXPECT_THAT(TextsOf(queue.DequeueBatch(10)), ElementsAre("2", "3", "4", "1"));
  EXPECT_THAT(
      shell.Query("SELECT payload, visible_at - enqueued_at = '1 hour', "
                  "extract(epoch FROM visible_at)::bigint "
                  "FROM pgqrs_messages WHERE state = 'delayed' ORDER BY id"),
      ElementsAre(ElementsAre("5", "t", ::testing::_), ElementsAre("6", "f", "4102444800")));
}

TEST_F(SqlEnqueue, ABatchIsStoredAsTheLibraryStoresIt) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  auto shell = Shell();
  for (const int n : {1, 2, 63, 64, 65, 128, 150}) {
    SCOPED_TRACE(n);
    queue.EnqueueBatch(NumberedPayloads(n), {.priority = 3});
    const std::string layout =
        "SELECT b.n, s.id - b.id * 64, s.mask, s.n, s.priority, s.read_ct, "
        "s.lease_token, b.payloads, s.visible_at = b.enqueued_at "
        "FROM pgqrs_batches AS b JOIN pgqrs_slices AS s ON s.id >> 6 = b.id ORDER BY b.id";
    const auto expected = shell.Query(layout);
    EXPECT_EQ(store.PurgeQueue("jobs"), n);

    const auto ids = shell.Query(
        "SELECT unnest(pgqrs_enqueue_batch('jobs', array_agg(to_jsonb(i) ORDER BY i), "
        "priority => 3)) FROM generate_series(0, " +
        std::to_string(n - 1) + ") AS i");
    EXPECT_EQ(shell.Query(layout), expected);
    EXPECT_EQ(shell.Query("SELECT id FROM pgqrs_messages ORDER BY payload::int"), ids);
    store.Admin().Verify();
    EXPECT_EQ(store.PurgeQueue("jobs"), n);
  }
}

TEST_F(SqlEnqueue, ABatchEndsWhereItsPayloadsWouldGetTooLong) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  auto shell = Shell();
  // 30,000 + 30,000 + 30,000, then one that is too long for any batch, then two small ones.
  shell.Execute(
      "SELECT pgqrs_enqueue_batch('jobs', array_agg(to_jsonb(repeat('x', n)) ORDER BY i)) "
      "FROM unnest(ARRAY[30000, 30000, 30000, 100000, 1, 2]) WITH ORDINALITY AS t (n, i)");
  EXPECT_THAT(shell.Query("SELECT n FROM pgqrs_batches ORDER BY id"),
              ElementsAre(ElementsAre("2"), ElementsAre("1"), ElementsAre("1"), ElementsAre("2")));
  std::vector<std::size_t> lengths;
  for (const auto& message : queue.DequeueBatch(10)) {
    lengths.push_back(message.payload().AsString().size());
  }
  EXPECT_THAT(lengths, ElementsAre(30000, 30000, 30000, 100000, 1, 2));
  store.Admin().Verify();
}

TEST_F(SqlEnqueue, AnEmptyBatchIsNothing) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  EXPECT_EQ(Shell().QueryText("SELECT pgqrs_enqueue_batch('jobs', '{}')"), "{}");
  EXPECT_THAT(Refusal("pgqrs_enqueue_batch('none', '{}')"), HasSubstr("queue: "));
  EXPECT_EQ(Shell().QueryInt("SELECT count(*) FROM pgqrs_batches"), 0);
}

TEST_F(SqlEnqueue, EveryJsonDocumentPassesUnchanged) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  auto shell = Shell();
  for (const std::string payload : {"null", "true", "[]", "{}", "\"\"", "[[1, 2], [3]]", "\"é\""}) {
    Enqueue(shell, "'jobs', '" + payload + "'");
    auto message = queue.Dequeue();
    ASSERT_TRUE(message) << payload;
    EXPECT_EQ(message->payload().text(), payload);
  }
  shell.Execute("SELECT pgqrs_enqueue_batch('jobs', ARRAY['null', '[1, [2]]']::jsonb[])");
  EXPECT_THAT(TextsOf(queue.DequeueBatch(2)), ElementsAre("null", "[1, [2]]"));
}

TEST_F(SqlEnqueue, BadArgumentsAreNamedAndNothingIsStored) {
  auto store = Open();
  store.Queue("jobs");
  EXPECT_THAT(Refusal("pgqrs_enqueue('none', '1')"),
              HasSubstr("queue: there is no queue \"none\""));
  EXPECT_THAT(Refusal("pgqrs_enqueue(NULL, '1')"), HasSubstr("queue: is NULL"));
  EXPECT_THAT(Refusal("pgqrs_enqueue('jobs', NULL)"), HasSubstr("payload: is NULL"));
  EXPECT_THAT(Refusal("pgqrs_enqueue('jobs', 'no json')"), HasSubstr("type json"));
  EXPECT_THAT(Refusal("pgqrs_enqueue_batch('jobs', NULL)"), HasSubstr("payloads: is NULL"));
  EXPECT_THAT(Refusal("pgqrs_enqueue_batch('jobs', ARRAY['1', NULL]::jsonb[])"),
              HasSubstr("payload 1 of the batch: is NULL"));
  EXPECT_THAT(Refusal("pgqrs_enqueue_batch('jobs', array_fill('1'::jsonb, ARRAY[100001]))"),
              HasSubstr("payloads: must be at most 100000"));
  for (const std::string priority : {"-1", "10", "1000000"}) {
    EXPECT_THAT(Refusal("pgqrs_enqueue('jobs', '1', priority => " + priority + ")"),
                HasSubstr("priority: must be from 0 to 9, and is " + priority));
  }
  for (const std::string delay : {"-1 second", "3661 days", "11 years"}) {
    EXPECT_THAT(Refusal("pgqrs_enqueue('jobs', '1', delay => '" + delay + "')"),
                HasSubstr("delay: must be from 0 to 3660 days"))
        << delay;
  }
  for (const std::string time : {"infinity", "10000-01-01 00:00+00", "294000-01-01"}) {
    EXPECT_THAT(Refusal("pgqrs_enqueue('jobs', '1', visible_at => '" + time + "')"),
                HasSubstr("visible_at: is after the year 9999"))
        << time;
  }
  EXPECT_THAT(Refusal("pgqrs_enqueue('jobs', '1', delay => '1 s', visible_at => now())"),
              HasSubstr("delay, visible_at: only one"));
  EXPECT_EQ(Shell().QueryInt("SELECT count(*) FROM pgqrs_batches"), 0);
  EXPECT_EQ(Shell().QueryInt("SELECT count(*) FROM pgqrs_slices"), 0);
}

TEST_F(SqlEnqueue, ADeletedQueueIsUnknown) {
  auto store = Open();
  store.Queue("jobs");
  store.DeleteQueue("jobs");
  EXPECT_THAT(Refusal("pgqrs_enqueue('jobs', '1')"), HasSubstr("there is no queue \"jobs\""));
}

// It may still put something into the queue.
TEST_F(SqlEnqueue, ATransactionThatStaysOpenDoesNotHoldUpTheDeletion) {
  const std::string closed = "SELECT count(*) FROM pgqrs_queues WHERE deleted_at IS NOT NULL";
  auto shell = Shell();
  {
    auto store = Open();
    store.Queue("jobs");
    shell.Execute("BEGIN");
    Enqueue(shell, "'jobs', '1'");
    store.DeleteQueue("jobs");
    store.Queue("others");
    store.DeleteQueue("others");
    EXPECT_EQ(Shell().QueryInt(closed), 2);
    EXPECT_THAT(store.ListQueues(), SizeIs(0));
  }
  shell.Execute("COMMIT");
  EXPECT_EQ(Shell().QueryInt("SELECT count(*) FROM pgqrs_slices"), 1);
  // Who opens the database removes what was left, once no transaction of the server is older.
  for (int i = 0; i < 1000 && Shell().QueryInt(closed) > 0; ++i) {
    Open();
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  EXPECT_EQ(Shell().QueryInt(closed), 0);
  EXPECT_EQ(Shell().QueryInt("SELECT count(*) FROM pgqrs_slices"), 0);
  Open().Admin().Verify();
}

TEST_F(SqlEnqueue, NothingDependsOnTheSessionOfTheCaller) {
  for (const std::string schema : {"public", "we\"ird 'schema' %s; {x}"}) {
    config().schema = schema;
    auto store = Open();
    auto queue = store.Queue("jobs");
    auto shell = Shell();
    const auto quoted = shell.QueryText("SELECT quote_ident($q$" + schema + "$q$)");
    shell.Execute(
        "CREATE TEMPORARY TABLE pgqrs_queues (id int); CREATE TEMPORARY TABLE pgqrs_batches (x "
        "int);"
        "CREATE SCHEMA IF NOT EXISTS decoy;"
        "CREATE OR REPLACE FUNCTION decoy.octet_length(text) RETURNS int LANGUAGE sql "
        "RETURN 1 / 0;"
        "SET search_path = decoy, pg_temp, pg_catalog; SET plpgsql.variable_conflict = use_column;"
        "SET TimeZone = 'Asia/Kolkata'; SET DateStyle = 'SQL, DMY'; SET IntervalStyle = iso_8601;"
        "SET extra_float_digits = -15");
    shell.Execute("SELECT " + quoted + ".pgqrs_enqueue('jobs', '1', delay => interval '0')");
    auto message = queue.Dequeue();
    ASSERT_TRUE(message);
    EXPECT_EQ(message->payload().text(), "1");
  }
}

TEST_F(SqlEnqueue, IdsOfBothWaysNeverMeet) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  auto shell = Shell();
  for (int i = 0; i < 5; ++i) {
    queue.Enqueue("x");
    Enqueue(shell, "'jobs', '1'");
  }
  EXPECT_THAT(queue.DequeueBatch(20), SizeIs(10));
  store.Admin().Verify();
}

TEST_F(SqlEnqueue, AWaitingConsumerIsWokenByTheCommit) {
  auto store = Open();
  auto waiting = store.Queue("jobs").DequeueWaitAsync(minutes(1));
  AwaitWaitingConsumers(store, 1);
  auto shell = Shell();
  shell.Execute("BEGIN");
  const auto id = Enqueue(shell, "'jobs', '1'");
  shell.Execute("COMMIT");
  const auto message = waiting.Get();
  ASSERT_TRUE(message);
  EXPECT_EQ(message->id(), id);
}

TEST_F(SqlEnqueue, AWaitingConsumerIsWokenWhenADelayedMessageBecomesVisible) {
  auto store = Open();
  auto waiting = store.Queue("jobs").DequeueWaitAsync(minutes(1));
  AwaitWaitingConsumers(store, 1);
  auto shell = Shell();
  const auto id = Enqueue(shell, "'jobs', '1', delay => '50 ms'");
  const auto message = waiting.Get();
  ASSERT_TRUE(message);
  EXPECT_EQ(message->id(), id);
  EXPECT_GE(message->dequeued_at(), message->visible_at());
}

TEST_F(SqlEnqueue, AnyIsolationOfTheTransactionWorks) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  auto shell = Shell();
  for (const std::string level : {"READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"}) {
    shell.Execute("BEGIN ISOLATION LEVEL " + level);
    Enqueue(shell, "'jobs', '1'");
    shell.Execute("COMMIT");
    EXPECT_TRUE(queue.Dequeue()) << level;
  }
}

// A transaction that enqueues, and commits only when a store has taken so many later messages that
// its dequeues begin behind.
class SqlEnqueueThatCommitsLate : public SqlEnqueue {
 protected:
  void EnqueueAndDrainMore(const std::string& arguments = "'jobs', '\"late\"'") {
    late_.Execute("BEGIN");
    Enqueue(late_, arguments);
    constexpr int kMessages = 600;
    Shell().Execute("SELECT pgqrs_enqueue('jobs', '1') FROM generate_series(1, " +
                    std::to_string(kMessages) + ")");
    int drained = 0;
    while (drained < kMessages) {
      const auto messages = queue_.DequeueBatch(100);
      drained += static_cast<int>(messages.size());
      store_.Ack(messages);
    }
  }
  void Commit() { late_.Execute("COMMIT"); }

  static std::string TextOf(const std::optional<Message>& message) {
    return message ? message->payload().text() : "(nothing)";
  }

  PgqrsStore store_ = Open();
  Queue queue_ = store_.Queue("jobs");

 private:
  PostgresShell late_ = Shell();
};

TEST_F(SqlEnqueueThatCommitsLate, IsFoundByWhoWaits) {
  EnqueueAndDrainMore();
  auto waiting = queue_.DequeueWaitAsync(minutes(1));
  AwaitWaitingConsumers(store_, 1);
  Commit();
  EXPECT_EQ(TextOf(waiting.Get()), "\"late\"");
}

TEST_F(SqlEnqueueThatCommitsLate, IsFoundByWhoBeginsToWaitAfterwards) {
  EnqueueAndDrainMore();
  Commit();
  EXPECT_EQ(TextOf(queue_.DequeueWait(minutes(1))), "\"late\"");
}

TEST_F(SqlEnqueueThatCommitsLate, IsFoundWhereItsDelayHasRunOutLongAgo) {
  EnqueueAndDrainMore("'jobs', '\"late\"', delay => '1 us'");
  auto waiting = queue_.DequeueWaitAsync(minutes(1));
  AwaitWaitingConsumers(store_, 1);
  Commit();
  EXPECT_EQ(TextOf(waiting.Get()), "\"late\"");
}

// The deletion of a queue, step by step.
class SqlEnqueueIntoAClosedQueue : public SqlEnqueue {
 protected:
  SqlEnqueueIntoAClosedQueue() { Open().Queue("jobs"); }

  // Answers whether there is more to do.
  bool RemoveSome() {
    writer_->Begin();
    const bool more = queue::ClosedQueueRemoval().Step(*writer_);
    writer_->Commit();
    return more;
  }

  // Expects that the queue goes only once the transaction has ended, with what that has enqueued.
  void ExpectNothingIsLeftOf(PostgresShell& transaction) {
    for (int i = 0; i < 5; ++i) EXPECT_TRUE(RemoveSome());
    transaction.Execute("COMMIT");
    while (RemoveSome()) {
    }
    EXPECT_EQ(Shell().QueryInt("SELECT count(*) FROM pgqrs_queues"), 0);
    EXPECT_EQ(Shell().QueryInt("SELECT count(*) FROM pgqrs_batches"), 0);
    Open().Admin().Verify();
  }

  static constexpr auto kClose = "UPDATE pgqrs_queues SET queue_name = NULL, deleted_at = now()";

 private:
  std::unique_ptr<driver::Connection> writer_ = driver::MakeDatabase(config())->OpenWriter();
};

TEST_F(SqlEnqueueIntoAClosedQueue, WhatWasEnqueuedBeforeGoesWithIt) {
  auto caller = Shell();
  caller.Execute("BEGIN");
  Enqueue(caller, "'jobs', '1'");
  Shell().Execute(kClose);
  ExpectNothingIsLeftOf(caller);
}

TEST_F(SqlEnqueueIntoAClosedQueue, WhatIsEnqueuedWhileItIsBeingClosedGoesWithIt) {
  auto closer = Shell();
  closer.Execute("BEGIN");
  closer.Execute(kClose);
  auto caller = Shell();
  caller.Execute("BEGIN");
  Enqueue(caller, "'jobs', '1'");
  closer.Execute("COMMIT");
  ExpectNothingIsLeftOf(caller);
}

TEST_F(SqlEnqueueIntoAClosedQueue, ATransactionThatSeesItStillIsRefused) {
  auto caller = Shell();
  caller.Execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT FROM pgqrs_queues");
  Shell().Execute(kClose);
  EXPECT_THAT(MessageOf<std::runtime_error>([&] { Enqueue(caller, "'jobs', '1'"); }),
              HasSubstr("could not serialize access"));
}

}  // namespace
}  // namespace pgqrs::testing
