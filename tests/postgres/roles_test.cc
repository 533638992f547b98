// What the roles of scripts/postgres_roles.sql can do and cannot.
#include <fstream>
#include <iterator>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "driver/driver.h"
#include "postgres/postgres_test.h"
#include "support/messages.h"

namespace pgqrs::testing {
namespace {

const std::string kInsertBatch =
    "INSERT INTO pgqrs_batches (queue_id, id, n, enqueued_at, payloads) "
    "VALUES (1, 1, 1, now(), '[1]')";

std::string ReadScript() {
  std::ifstream file(PGQRS_TESTS_SCRIPTS_FOLDER "/postgres_roles.sql");
  return {std::istreambuf_iterator<char>(file), {}};
}

// What psql does with its variables.
void Replace(std::string& text, const std::string& variable, const std::string& value) {
  const auto from = ":\"" + variable + "\"";
  const auto to = "\"" + value + "\"";
  for (auto at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
}

class PostgresRoles : public PostgresTest {
 protected:
  PostgresRoles() {
    config().schema = "Queue of ours";
    config().fallback_poll_interval = hours(1);
    Open().Queue("jobs");
    auto script = ReadScript();
    Replace(script, "schema", config().schema);
    Replace(script, "producer", producer_);
    Replace(script, "consumer", consumer_);
    Replace(script, "admin", admin_);
    Shell().Execute(script);
  }

  PgqrsStore OpenAs(const std::string& role) {
    auto as_role = config();
    as_role.dsn = DsnAs(role);
    return PgqrsStore::Connect(as_role);
  }

  PostgresShell ShellAs(const std::string& role) {
    PostgresShell shell(DsnAs(role));
    shell.Execute("SET search_path = \"" + config().schema + "\"");
    return shell;
  }

  static std::string Refusal(PostgresShell& shell, const std::string& sql) {
    return MessageOf<std::runtime_error>([&] { shell.Execute(sql); });
  }

  static void ExpectDenied(PostgresShell& shell, const std::vector<std::string>& statements) {
    for (const auto& sql : statements) {
      EXPECT_THAT(Refusal(shell, sql), HasSubstr("permission denied")) << sql;
    }
  }

  template <typename F>
  static std::string Denial(F call) {
    return MessageOf<InternalError>(call);
  }

  const std::string producer_ = NewRoleName();
  const std::string consumer_ = NewRoleName();
  const std::string admin_ = NewRoleName();
};

TEST_F(PostgresRoles, AProducerEnqueuesInEveryWay) {
  for (const bool install : {true, false}) {
    config().install_schema = install;
    auto store = OpenAs(producer_);
    auto queue = store.Queue("jobs");
    queue.Enqueue("1", {.priority = 0});
    queue.EnqueueBatch(Payloads(100, "2"), {.delay = microseconds(1)});
    auto shell = ShellAs(producer_);
    shell.Execute(
        "SELECT pgqrs_enqueue('jobs', '\"3\"');"
        "SELECT pgqrs_enqueue_batch('jobs', ARRAY['\"4\"', '\"4\"']::jsonb[]);"
        "INSERT INTO pgqrs_messages (queue_name, payload) VALUES ('jobs', '\"5\"')");
    shell.Execute("BEGIN");
    EnqueueIn(shell.connection(), queue, "6");
    shell.Execute("COMMIT");
    EXPECT_EQ(Open().PurgeQueue("jobs"), 106);
  }
}

TEST_F(PostgresRoles, AProducerGetsItsPartitionsMade) {
  auto owner = Shell();
  owner.Execute("SET search_path = \"" + config().schema + "\"");
  const std::string last = "SELECT setval('pgqrs_batch_ids', max(end_id) / 1024 * 1024";
  const std::string count = "SELECT count(*) FROM pgqrs_partitions";
  owner.Execute(last + ") FROM pgqrs_partitions");
  OpenAs(producer_).Queue("jobs").Enqueue("x");
  EXPECT_EQ(owner.QueryInt(count), 3);
  owner.Execute(last + " - 1, false) FROM pgqrs_partitions");
  auto shell = ShellAs(producer_);
  for (int i = 0; i < 3; ++i) shell.Execute("SELECT pgqrs_enqueue('jobs', '\"x\"')");
  EXPECT_EQ(owner.QueryInt(count), 4);
  EXPECT_EQ(Open().PurgeQueue("jobs"), 4);
}

TEST_F(PostgresRoles, AProducerFindsOutWhatWasStoredWhereTheAnswerWasLost) {
  OpenAs(producer_).Queue("jobs").Enqueue("x");
  auto as_producer = config();
  as_producer.dsn = DsnAs(producer_);
  const auto connection = driver::MakeDatabase(as_producer)->OpenWriter();
  const std::vector<driver::Scalar> one = {1};
  int found = 0;
  connection->Run(sql::Statement::kFindStored,
                  {std::int64_t{1}, std::span<const driver::Scalar>(one)},
                  [&](const driver::Row&) { return ++found; });
  EXPECT_EQ(found, 1);
}

TEST_F(PostgresRoles, AProducerCannotDequeueNorReadPayloads) {
  auto store = OpenAs(producer_);
  auto queue = store.Queue("jobs");
  const auto id = queue.Enqueue("secret");
  const auto denied = HasSubstr("permission denied");
  EXPECT_THAT(Denial([&] { queue.Dequeue(); }), denied);
  EXPECT_THAT(Denial([&] { store.FindMessage(id); }), denied);
  EXPECT_THAT(Denial([&] { queue.ListArchived(); }), denied);
  EXPECT_THAT(Denial([&] { queue.ReplayDeadLetters(); }), denied);
  EXPECT_THAT(Denial([&] { store.PurgeQueue("jobs"); }), denied);
  EXPECT_THAT(Denial([&] { store.DeleteQueue("jobs", /*force=*/true); }), denied);
  EXPECT_THAT(Denial([&] { store.Queue("new"); }), denied);
  queue.Enqueue("it still works");

  auto shell = ShellAs(producer_);
  ExpectDenied(
      shell, {"SELECT payloads FROM pgqrs_batches",
              "SELECT * FROM pgqrs_batches",
              "SELECT payload FROM pgqrs_messages",
              "SELECT mask FROM pgqrs_slices",
              "SELECT FROM pgqrs_archive",
              "UPDATE pgqrs_slices SET visible_at = now()",
              "UPDATE pgqrs_slices SET worker_id = 1",
              "DELETE FROM pgqrs_slices",
              "UPDATE pgqrs_batches SET payloads = '[]'",
              "DELETE FROM pgqrs_batches",
              "SELECT FROM pgqrs_slices FOR UPDATE",
              "SELECT nextval('pgqrs_lease_tokens')",
              kInsertBatch + " RETURNING payloads",
              kInsertBatch + " ON CONFLICT (queue_id, id) DO UPDATE SET n = 1",
              "INSERT INTO pgqrs_messages (queue_name, payload) VALUES ('jobs', '1') RETURNING id",
              "INSERT INTO pgqrs_slices (queue_id, id, lease_token) VALUES (1, 1, 1)",
              "INSERT INTO pgqrs_archive DEFAULT VALUES",
              "TRUNCATE pgqrs_slices",
              "SELECT pgqrs_compact_slices(0)",
              "INSERT INTO pgqrs_queues (queue_name, created_at) VALUES ('new', now())",
              "DELETE FROM pgqrs_queues",
              "DELETE FROM pgqrs_workers"});
  EXPECT_THAT(Open().Queue("jobs").DequeueBatch(10), SizeIs(2));
}

TEST_F(PostgresRoles, AConsumerMayHaveTheHotSetWrittenAnew) {
  EXPECT_EQ(ShellAs(consumer_).QueryText("SELECT pgqrs_compact_slices(1000000000)"), "f");
}

TEST_F(PostgresRoles, AConsumerDequeuesAndSettles) {
  auto producer = OpenAs(producer_);
  const auto enqueue = [&](int n) { producer.Queue("jobs").EnqueueBatch(Payloads(n)); };
  enqueue(7);
  auto store = OpenAs(consumer_);
  auto queue = store.Queue("jobs");
  auto messages = queue.DequeueBatch(6);
  ASSERT_THAT(messages, SizeIs(6));
  EXPECT_TRUE(messages[0].Ack());
  EXPECT_TRUE(messages[1].Release());
  EXPECT_TRUE(messages[2].ExtendLease(hours(1)));
  EXPECT_TRUE(messages[3].DeadLetter("broken"));
  EXPECT_TRUE(messages[4].Delete());
  EXPECT_TRUE(store.Ack(messages[5].id()));
  EXPECT_THAT(queue.ListDeadLetters(), SizeIs(1));
  EXPECT_EQ(queue.ReplayDeadLetters(), 1);
  EXPECT_EQ(queue.Metrics().archived, 2);
  auto consumer = queue.NewConsumer();
  EXPECT_THAT(consumer.DequeueBatch(10), SizeIs(3));

  auto waiting = queue.DequeueWaitAsync(minutes(1));
  AwaitWaitingConsumers(store, 1);
  enqueue(1);
  EXPECT_TRUE(waiting.Get());
  EXPECT_EQ(ShellAs(consumer_).QueryInt("SELECT count(*) FROM pgqrs_messages"), 7);
}

TEST_F(PostgresRoles, AConsumerCannotEnqueueNorMakeOrDeleteQueues) {
  auto store = OpenAs(consumer_);
  auto queue = store.Queue("jobs");
  const auto denied = HasSubstr("permission denied");
  EXPECT_THAT(Denial([&] { queue.Enqueue("x"); }), denied);
  EXPECT_THAT(Denial([&] { store.Queue("new"); }), denied);
  EXPECT_THAT(Denial([&] { store.DeleteQueue("jobs", /*force=*/true); }), denied);
  auto shell = ShellAs(consumer_);
  ExpectDenied(
      shell, {"SELECT pgqrs_enqueue('jobs', '1')",
              "SELECT pgqrs_enqueue_batch('jobs', ARRAY['1']::jsonb[])",
              "INSERT INTO pgqrs_messages (queue_name, payload) VALUES ('jobs', '1')", kInsertBatch,
              "UPDATE pgqrs_batches SET queue_id = 2", "DELETE FROM pgqrs_queues",
              "SELECT nextval('pgqrs_batch_ids')", "DELETE FROM pgqrs_workers"});
  EXPECT_FALSE(queue.Dequeue());
}

TEST_F(PostgresRoles, AnAdministratorDoesEverythingButChangeTheSchema) {
  auto store = OpenAs(admin_);
  auto queue = store.CreateQueue("more");
  queue.EnqueueBatch(Payloads(10));
  auto messages = queue.DequeueBatch(4);
  ASSERT_THAT(messages, SizeIs(4));
  EXPECT_TRUE(messages[0].Ack());
  EXPECT_TRUE(messages[1].DeadLetter("broken"));
  EXPECT_EQ(queue.PurgeDeadLetters(), 1);
  EXPECT_EQ(queue.ApplyRetention({.max_count = 0}), 1);
  EXPECT_EQ(store.PurgeQueue("more"), 6);
  store.Admin().PurgeStaleWorkers(hours(1));
  store.Admin().Install();
  ShellAs(admin_).Execute("SELECT pgqrs_enqueue('more', '1'); SELECT FROM pgqrs_messages");
  store.DeleteQueue("more", /*force=*/true);
  EXPECT_THAT(store.ListQueues(), SizeIs(1));

  auto shell = ShellAs(admin_);
  ExpectDenied(shell, {"CREATE TABLE more (id int)", "TRUNCATE pgqrs_slices",
                       "UPDATE pgqrs_schema_migrations SET version = 2"});
  for (const std::string sql : {"DROP TABLE pgqrs_slices", "ALTER TABLE pgqrs_slices ADD x int",
                                "DROP FUNCTION pgqrs_enqueue"}) {
    EXPECT_THAT(Refusal(shell, sql), HasSubstr("must be owner")) << sql;
  }
}

TEST_F(PostgresRoles, TheFunctionsNeedOnlyTheRightToCallThem) {
  const auto role = NewRole();
  Shell().Execute("GRANT USAGE ON SCHEMA \"Queue of ours\" TO " + role);
  auto shell = ShellAs(role);
  ExpectDenied(shell, {"SELECT pgqrs_enqueue('jobs', '1')",
                       "SELECT pgqrs_enqueue_batch('jobs', ARRAY['1']::jsonb[])"});
  Shell().Execute(
      "GRANT EXECUTE ON FUNCTION \"Queue of ours\".pgqrs_enqueue, "
      "\"Queue of ours\".pgqrs_enqueue_batch TO " +
      role);
  shell.Execute(
      "SELECT pgqrs_enqueue('jobs', '1');"
      "SELECT pgqrs_enqueue_batch('jobs', ARRAY['2', '3']::jsonb[])");
  ExpectDenied(shell, {"SELECT FROM pgqrs_batches", "SELECT FROM pgqrs_queues",
                       "SELECT pgqrs_store_batch(1, 1, ARRAY['1']::jsonb[], now(), now(), 5)"});
  EXPECT_THAT(TextsOf(Open().Queue("jobs").DequeueBatch(10)), ElementsAre("1", "2", "3"));
}

}  // namespace
}  // namespace pgqrs::testing
