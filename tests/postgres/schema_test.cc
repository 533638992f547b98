#include "queue/schema.h"

#include <latch>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "driver/driver.h"
#include "driver/postgres/postgres_dsn.h"
#include "postgres/postgres_test.h"
#include "sql/catalog.h"

namespace pgqrs::testing {
namespace {

class PostgresSchema : public PostgresTest {
 protected:
  // The schemas that hold tables under our names.
  std::vector<std::string> SchemasOfOurs() {
    std::vector<std::string> schemas;
    for (const auto& row : Shell().Query("SELECT DISTINCT s.nspname::text FROM pg_class AS c "
                                         "JOIN pg_namespace AS s ON s.oid = c.relnamespace "
                                         "WHERE c.relname LIKE 'pgqrs\\_%' ORDER BY 1")) {
      schemas.push_back(row[0]);
    }
    return schemas;
  }

  // Everything that Verify, or a change of the schema, could leave behind.
  std::vector<std::vector<std::string>> Fingerprint() {
    return Shell().Query(
        "SELECT 's', oid::text, nspname::text, '' FROM pg_namespace WHERE nspname !~ '^pg_' "
        "UNION ALL SELECT 'r', c.oid::text, c.relname::text, c.xmin::text FROM pg_class AS c "
        "JOIN pg_namespace AS s ON s.oid = c.relnamespace "
        "WHERE s.nspname NOT IN ('pg_catalog', 'pg_toast', 'information_schema') ORDER BY 1, 2");
  }

  std::string RefusalThatTouchesNothing() {
    const auto before = Fingerprint();
    auto text = MessageOf<SchemaError>([&] { Open(); });
    EXPECT_EQ(Fingerprint(), before);
    return text;
  }

  // Uses what most calls of a store use.
  static void UseEverything(PgqrsStore store) {
    auto queue = store.Queue("jobs");
    const std::vector<Json> payloads(5, "x");
    queue.EnqueueBatch(payloads);
    auto messages = queue.DequeueBatch(4);
    ASSERT_THAT(messages, SizeIs(4));
    EXPECT_TRUE(messages[0].Ack());
    EXPECT_TRUE(messages[1].Release());
    EXPECT_TRUE(messages[2].DeadLetter("broken"));
    EXPECT_TRUE(messages[3].Delete());
    EXPECT_EQ(queue.ReplayDeadLetters(), 1);
    EXPECT_EQ(queue.Metrics().waiting, 3);
    EXPECT_EQ(queue.ApplyRetention({.max_count = 0}), 1);
    store.Admin().Install();
    store.Admin().Verify();
    store.DeleteQueue("jobs", /*force=*/true);
  }
};

TEST_F(PostgresSchema, ThePublicOneIsTheDefault) {
  UseEverything(Open());
  EXPECT_THAT(SchemasOfOurs(), ElementsAre("public"));
}

TEST_F(PostgresSchema, AMissingOneIsMade) {
  config().schema = "fresh";
  UseEverything(Open());
  UseEverything(Open());
  EXPECT_THAT(SchemasOfOurs(), ElementsAre("fresh"));
}

TEST_F(PostgresSchema, AnyNameIsQuoted) {
  std::vector<std::string> names = {
      "Größe\"x", "a'b", "UPPER case", " ",      "{schema}",      "{schema_text}",
      "a\\b",     "\"",  "$1",         "select", "x.pgqrs_y; --", std::string(63, 'n')};
  for (const auto& name : names) {
    SCOPED_TRACE(name);
    config().schema = name;
    UseEverything(Open());
  }
  EXPECT_THAT(SchemasOfOurs(), ::testing::UnorderedElementsAreArray(names));
}

TEST_F(PostgresSchema, TwoOfOneDatabaseAreTwoStores) {
  config().schema = "one";
  auto one = Open();
  config().schema = "two";
  auto two = Open();
  one.Queue("jobs").Enqueue("x");
  EXPECT_THAT(two.ListQueues(), IsEmpty());
  EXPECT_FALSE(two.Queue("jobs").Dequeue());
  EXPECT_TRUE(one.Queue("jobs").Dequeue());
}

TEST_F(PostgresSchema, NothingDependsOnTheSearchPath) {
  Shell().Execute(
      "CREATE SCHEMA decoy; CREATE TABLE decoy.pgqrs_queues (id int);"
      "CREATE TABLE decoy.pgqrs_slices (id int);"
      "CREATE SEQUENCE decoy.pgqrs_batch_ids MAXVALUE 2");
  for (const std::string path : {"nowhere", "\"\"", "pg_temp,decoy", "decoy,pg_catalog"}) {
    SCOPED_TRACE(path);
    config().dsn = DsnWith("options=-csearch_path%3D" + path);
    config().schema = "ours of " + path;
    UseEverything(Open());
  }
}

TEST_F(PostgresSchema, WithoutInstallSchemaAnEmptyDatabaseStaysEmpty) {
  config().install_schema = false;
  EXPECT_THAT(RefusalThatTouchesNothing(), HasSubstr("install_schema is off"));
  config().schema = "fresh";
  EXPECT_THAT(RefusalThatTouchesNothing(), HasSubstr("install_schema is off"));
  config().install_schema = true;
  Open();
  config().install_schema = false;
  UseEverything(Open());
}

TEST_F(PostgresSchema, FiftyThatInstallAtOnceAllSucceed) {
  constexpr int kStores = 50;
  config().schema = "fresh";
  std::latch all_are_there(kStores);
  std::vector<std::string> errors(kStores);
  std::vector<std::thread> threads;
  threads.reserve(kStores);
  for (int i = 0; i < kStores; ++i) {
    threads.emplace_back([&, i] {
      all_are_there.arrive_and_wait();
      errors[static_cast<std::size_t>(i)] = MessageOf<Error>([&] { Open(); });
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_THAT(errors, Each("(no error)"));
  EXPECT_EQ(Shell().QueryInt("SELECT count(*) FROM fresh.pgqrs_schema_migrations"),
            static_cast<std::int64_t>(sql::Migrations("postgres").size()));
  UseEverything(Open());
}

TEST_F(PostgresSchema, AnInterruptedInstallationLeavesNothing) {
  config().schema = "fresh";
  const auto before = Fingerprint();
  const auto database = driver::MakeDatabase(config());
  {
    const auto writer = database->OpenWriter();
    writer->Begin();
    queue::InstallSchema(*writer, "postgres");
  }
  EXPECT_EQ(Fingerprint(), before);
  UseEverything(Open());
}

// Makes the database what the library of some version made of it.
class PostgresUpgrade : public PostgresSchema {
 protected:
  void InstallFirst(int migrations) {
    const auto options = driver::ParsePostgresDsn(config());
    auto shell = Shell();
    const auto run = [&](std::string_view text) {
      shell.Execute(driver::WithSchema(text, options));
    };
    run(sql::Text("postgres", sql::Statement::kCreateMigrations));
    for (const auto& migration : sql::Migrations("postgres")) {
      if (migration.version > migrations) return;
      run(migration.text);
      run("INSERT INTO {schema}.pgqrs_schema_migrations VALUES (" +
          std::to_string(migration.version) + ", '" + std::string(migration.name) + "', now())");
    }
  }

  // What Admin().Install() does.
  void Upgrade() {
    const auto writer = driver::MakeDatabase(config())->OpenWriter();
    writer->Begin();
    queue::InstallSchema(*writer, "postgres");
    writer->Commit();
  }
};

TEST_F(PostgresUpgrade, TheCurrentVersionIsTaken) {
  InstallFirst(static_cast<int>(sql::Migrations("postgres").size()));
  UseEverything(Open());
}

TEST_F(PostgresUpgrade, AnOlderVersionIsRefusedUntilItIsUpgradedUnderOrders) {
  const auto versions = static_cast<int>(sql::Migrations("postgres").size());
  if (versions == 1) GTEST_SKIP() << "there is one version so far";
  for (int version = 1; version < versions; ++version) {
    config().schema = "version " + std::to_string(version);
    InstallFirst(version);
    const auto before = Fingerprint();
    auto store = Open();
    const auto is_told =
        AllOf(HasSubstr("older than this library"), HasSubstr("Admin().Install()"));
    EXPECT_THAT(MessageOf<SchemaError>([&] { store.Queue("jobs"); }), is_told);
    EXPECT_THAT(MessageOf<SchemaError>([&] { store.Admin().Queues(); }), is_told);
    EXPECT_EQ(Fingerprint(), before);
    store.Admin().Install();
    store.Admin().Verify();
    UseEverything(store);
  }
}

TEST_F(PostgresUpgrade, ANewerVersionIsRefusedAndStays) {
  Open();
  Shell().Execute("INSERT INTO pgqrs_schema_migrations VALUES (9000, 'future', now())");
  EXPECT_THAT(RefusalThatTouchesNothing(),
              AllOf(HasSubstr("version 9000"), HasSubstr("use a newer pgqrs")));
  EXPECT_THAT(MessageOf<SchemaError>([&] { Upgrade(); }), HasSubstr("version 9000"));
}

TEST_F(PostgresUpgrade, AVersionThatWasNeverOursIsRefused) {
  Open();
  Shell().Execute("UPDATE pgqrs_schema_migrations SET name = 'first' WHERE version = 1");
  EXPECT_THAT(RefusalThatTouchesNothing(), HasSubstr("\"first\""));
  Shell().Execute("DELETE FROM pgqrs_schema_migrations");
  EXPECT_THAT(RefusalThatTouchesNothing(), HasSubstr("another program"));
  Shell().Execute("INSERT INTO pgqrs_schema_migrations VALUES (0, 'zero', now())");
  EXPECT_THAT(RefusalThatTouchesNothing(), HasSubstr("another program"));
}

TEST_F(PostgresSchema, TablesOfAnotherProgramAreNamedAndStay) {
  Shell().Execute(
      "CREATE TABLE pgqrs_queues (id bigserial PRIMARY KEY, queue_name text UNIQUE NOT NULL,"
      "  created_at timestamptz NOT NULL DEFAULT now());"
      "CREATE TABLE pgqrs_workers (id bigserial PRIMARY KEY, hostname text, port int,"
      "  queue_id bigint REFERENCES pgqrs_queues (id));"
      "CREATE TABLE pgqrs_messages (id bigserial PRIMARY KEY, payload jsonb NOT NULL,"
      "  queue_id bigint NOT NULL REFERENCES pgqrs_queues (id), vt timestamptz, read_ct int);"
      "CREATE TABLE pgqrs_archive (id bigserial PRIMARY KEY, original_msg_id bigint);"
      "INSERT INTO pgqrs_queues (queue_name) VALUES ('theirs')");
  EXPECT_THAT(RefusalThatTouchesNothing(),
              AllOf(HasSubstr("another program"), HasSubstr("pgqrs_archive"),
                    HasSubstr("pgqrs_messages"), HasSubstr("pgqrs_queues"),
                    HasSubstr("pgqrs_workers"), HasSubstr("no table was touched")));
  EXPECT_EQ(Shell().QueryText("SELECT queue_name FROM pgqrs_queues"), "theirs");
  // Beside them there is room.
  config().schema = "ours";
  UseEverything(Open());
}

TEST_F(PostgresSchema, OneTableOfAnotherProgramIsEnough) {
  Shell().Execute("CREATE TABLE pgqrs_schema_migrations (version bigint, installed_on text)");
  EXPECT_THAT(RefusalThatTouchesNothing(), HasSubstr("pgqrs_schema_migrations"));
}

TEST_F(PostgresSchema, TablesWithOtherNamesDoNotMatter) {
  Shell().Execute("CREATE TABLE pgqrsx (id int); CREATE TABLE \"PGQRS_QUEUES\" (id int)");
  UseEverything(Open());
}

TEST_F(PostgresSchema, WhatIsMissingOfOursIsNamed) {
  Open();
  Shell().Execute("ALTER TABLE pgqrs_workers DROP COLUMN heartbeat_at");
  EXPECT_THAT(RefusalThatTouchesNothing(), HasSubstr("heartbeat_at"));
  Shell().Execute("DROP TABLE pgqrs_workers");
  EXPECT_THAT(RefusalThatTouchesNothing(), HasSubstr("pgqrs_workers"));
}

TEST_F(PostgresSchema, ARoleThatMayNotCreateIsToldAndNothingIsLeft) {
  const auto before = Fingerprint();
  config().dsn = DsnAs(NewRole());
  const auto refusal = [&] { return MessageOf<PgqrsConnectionError>([&] { Open(); }); };
  EXPECT_THAT(refusal(), AllOf(HasSubstr("cannot open the database"),
                               HasSubstr("permission denied"), HasSubstr("public")));
  config().schema = "fresh";
  EXPECT_THAT(refusal(), AllOf(HasSubstr("permission denied"), HasSubstr("database")));
  EXPECT_EQ(Fingerprint(), before);
}

TEST_F(PostgresSchema, ARoleThatMayUseTheTablesNeedsNoMore) {
  Open();
  const auto role = NewRole();
  Shell().Execute("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO " + role +
                  "; GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO " + role +
                  "; GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO " + role);
  config().dsn = DsnAs(role);
  auto store = Open();
  store.Queue("jobs").Enqueue("x");
  auto message = store.Queue("jobs").Dequeue();
  ASSERT_TRUE(message);
  EXPECT_TRUE(message->Ack());
  store.Admin().Install();
}

}  // namespace
}  // namespace pgqrs::testing
