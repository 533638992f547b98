#include <pgqrs/postgres.h>

#include <cstdint>
#include <string>
#include <vector>

#include "postgres/postgres_test.h"
#include "support/messages.h"

namespace pgqrs::testing {
namespace {

class EnqueueInTransaction : public PostgresTest {
 protected:
  PGconn* connection() { return shell_.connection(); }
  void Execute(const std::string& sql) { shell_.Execute(sql); }

  std::int64_t Enqueue(const Json& payload, const EnqueueOptions& options = {}) {
    return EnqueueIn(connection(), queue_, payload, options);
  }

  // The error of class E of an enqueue, after which the transaction goes on.
  template <typename E>
  std::string HarmlessRefusal(const Json& payload, const EnqueueOptions& options = {}) {
    auto text = MessageOf<E>([&] { Enqueue(payload, options); });
    EXPECT_EQ(PQtransactionStatus(connection()), PQTRANS_INTRANS);
    return text;
  }

  PgqrsStore store_ = Open();
  Queue queue_ = store_.Queue("jobs");

 private:
  PostgresShell shell_ = Shell();
};

TEST_F(EnqueueInTransaction, StoresTheMessageWithTheCommit) {
  Execute("CREATE TABLE orders (id int); BEGIN; INSERT INTO orders VALUES (1)");
  const auto id = Enqueue(Json::Parse(R"({"to": "ada \\ \"é\""})"));
  EXPECT_FALSE(queue_.Dequeue());
  Execute("COMMIT");
  auto message = queue_.Dequeue();
  ASSERT_TRUE(message);
  EXPECT_EQ(message->id(), id);
  EXPECT_EQ(message->payload().text(), R"({"to": "ada \\ \"é\""})");
  EXPECT_EQ(message->priority(), 5);
  EXPECT_TRUE(message->Ack());
  store_.Admin().Verify();
}

TEST_F(EnqueueInTransaction, StoresNothingAfterARollback) {
  Execute("BEGIN");
  Enqueue("x");
  Execute("SAVEPOINT before");
  Enqueue("y");
  Execute("ROLLBACK TO before; ROLLBACK");
  EXPECT_FALSE(queue_.Dequeue());
}

TEST_F(EnqueueInTransaction, GivesTheIdsOfABatchInItsOrder) {
  Execute("BEGIN");
  const auto payloads = NumberedPayloads(200);
  const auto ids = EnqueueBatchIn(connection(), queue_, payloads, {.priority = 0});
  EXPECT_THAT(EnqueueBatchIn(connection(), queue_, {}), IsEmpty());
  Execute("COMMIT");
  const auto messages = queue_.DequeueBatch(1000);
  EXPECT_EQ(IdsOf(messages), ids);
  ASSERT_THAT(messages, SizeIs(200));
  EXPECT_EQ(messages[199].payload().text(), "199");
  EXPECT_EQ(messages[199].priority(), 0);
  store_.Admin().Verify();
}

TEST_F(EnqueueInTransaction, TakesTheSameOptions) {
  const auto next_year = std::chrono::floor<microseconds>(std::chrono::system_clock::now()) +
                         hours(24 * 365) + microseconds(7);
  const auto far =
      TimePoint(std::chrono::sys_days(std::chrono::year(9999) / 12 / 31)) + microseconds(123'457);
  Execute("BEGIN; SET LOCAL TimeZone = 'Asia/Kolkata'; SET LOCAL search_path = nowhere");
  const auto delayed = Enqueue("1", {.delay = hours(1) + microseconds(1)});
  const auto at = Enqueue("2", {.visible_at = next_year, .priority = 9});
  const auto far_away = Enqueue("3", {.visible_at = far});
  Enqueue("4", {.visible_at = TimePoint::min()});
  Enqueue("5", {.delay = Duration::zero(), .priority = 0});
  Execute("COMMIT");
  EXPECT_THAT(TextsOf(queue_.DequeueBatch(10)), ElementsAre("\"5\"", "\"4\""));
  const auto first = store_.FindMessage(delayed);
  EXPECT_EQ(*first->visible_at - first->enqueued_at, hours(1) + microseconds(1));
  EXPECT_EQ(*store_.FindMessage(at)->visible_at, next_year);
  EXPECT_EQ(*store_.FindMessage(far_away)->visible_at, far);
}

TEST_F(EnqueueInTransaction, WakesAWaitingConsumer) {
  config().fallback_poll_interval = hours(1);
  auto store = Open();
  auto waiting = store.Queue("jobs").DequeueWaitAsync(minutes(1));
  AwaitWaitingConsumers(store, 1);
  Execute("BEGIN");
  const auto id = Enqueue("x");
  Execute("COMMIT");
  const auto message = waiting.Get();
  ASSERT_TRUE(message);
  EXPECT_EQ(message->id(), id);
}

TEST_F(EnqueueInTransaction, ChecksWhatEnqueueChecksAndLeavesTheTransactionAsItWas) {
  config().max_payload_size = 10;
  config().max_enqueue_per_second = 0.001;
  config().max_enqueue_burst = 2;
  auto store = Open();
  queue_ = store.Queue("jobs");
  Execute("BEGIN");
  EXPECT_THAT(HarmlessRefusal<ValidationError>("longer than that"), HasSubstr("max_payload_size"));
  EXPECT_THAT(HarmlessRefusal<ValidationError>("x", {.priority = 10}), HasSubstr("priority"));
  EXPECT_THAT(HarmlessRefusal<ValidationError>("x", {.delay = seconds(-1)}), HasSubstr("delay"));
  EXPECT_THAT(HarmlessRefusal<SerializationError>(Json::Parse("\"\\u0000\"")), HasSubstr("U+0000"));
  const std::vector<Json> payloads = {"x", "longer than that"};
  EXPECT_THAT(MessageOf<ValidationError>([&] { EnqueueBatchIn(connection(), queue_, payloads); }),
              HasSubstr("payload 1 of the batch"));
  Enqueue("x");
  Enqueue("y");
  EXPECT_THAT(HarmlessRefusal<RateLimitedError>("z"), HasSubstr("enqueue"));
  Execute("COMMIT");
  EXPECT_THAT(queue_.DequeueBatch(10), SizeIs(2));
}

TEST_F(EnqueueInTransaction, NeedsAConnectionThatIsInATransaction) {
  const auto refusal = [&] { return MessageOf<ValidationError>([&] { Enqueue("x"); }); };
  EXPECT_THAT(refusal(), HasSubstr("no open transaction"));
  EXPECT_THAT(MessageOf<ValidationError>([&] { EnqueueIn(nullptr, queue_, "x"); }),
              HasSubstr("null"));

  Execute("BEGIN; SET client_encoding = 'LATIN1'");
  EXPECT_THAT(refusal(), HasSubstr("client_encoding"));
  Execute("SET client_encoding = 'UTF8'");

  ASSERT_EQ(PQenterPipelineMode(connection()), 1);
  EXPECT_THAT(refusal(), HasSubstr("pipeline"));
  ASSERT_EQ(PQexitPipelineMode(connection()), 1);

  ASSERT_EQ(PQsendQuery(connection(), "SELECT 1"), 1);
  EXPECT_THAT(refusal(), HasSubstr("under way"));
  while (auto* result = PQgetResult(connection())) PQclear(result);

  EXPECT_THROW(Execute("SELECT 1 / 0"), std::runtime_error);
  EXPECT_THAT(refusal(), HasSubstr("rolled back"));
  EXPECT_FALSE(queue_.Dequeue());
}

TEST_F(EnqueueInTransaction, ADeletedQueueFailsTheTransaction) {
  store_.DeleteQueue("jobs");
  Execute("BEGIN");
  EXPECT_THAT(MessageOf<QueueNotFoundError>([&] { Enqueue("x"); }), HasSubstr("\"jobs\""));
  EXPECT_EQ(PQtransactionStatus(connection()), PQTRANS_INERROR);
}

TEST_F(EnqueueInTransaction, AnotherDatabaseHasNoSuchSchema) {
  PostgresShell elsewhere(SharedPostgres().NewDatabase());
  elsewhere.Execute("BEGIN");
  EXPECT_THAT(MessageOf<SchemaError>([&] { EnqueueIn(elsewhere.connection(), queue_, "x"); }),
              HasSubstr("lacks the schema"));
}

TEST_F(EnqueueInTransaction, ALostConnectionIsToldAsSuch) {
  Execute("BEGIN");
  Shell().Execute("SELECT pg_terminate_backend(" + std::to_string(PQbackendPID(connection())) +
                  ", 10000)");
  EXPECT_NE(MessageOf<PgqrsConnectionError>([&] { Enqueue("x"); }), "");
  EXPECT_THAT(MessageOf<PgqrsConnectionError>([&] { Enqueue("x"); }), HasSubstr("is lost"));
}

TEST_F(EnqueueInTransaction, ATransactionThatCannotBeSerializedIsToldAsSuch) {
  Execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT FROM pgqrs_queues");
  store_.DeleteQueue("jobs");
  EXPECT_THAT(MessageOf<PgqrsConnectionError>([&] { Enqueue("x"); }),
              HasSubstr("other transactions"));
}

TEST_F(EnqueueInTransaction, AnySchemaIsFound) {
  config().schema = "we\"ird 'schema' $1";
  auto store = Open();
  queue_ = store.Queue("jobs");
  Execute("BEGIN");
  Enqueue("x");
  Execute("COMMIT");
  EXPECT_TRUE(queue_.Dequeue());
}

TEST(EnqueueInTransactionOfAnotherKind, AStoreOnSqliteHasNone) {
  auto store = PgqrsStore::Connect("sqlite::memory:");
  auto queue = store.Queue("jobs");
  EXPECT_THAT(MessageOf<ValidationError>([&] { EnqueueIn(nullptr, queue, "x"); }),
              HasSubstr("not on Postgres"));
}

}  // namespace
}  // namespace pgqrs::testing
