#include <algorithm>
#include <array>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "postgres/postgres_test.h"

namespace pgqrs::testing {
namespace {

// Damages a sound database by SQL, as another program might, and looks at what Verify says.
class PostgresVerify : public PostgresTest {
 protected:
  PostgresVerify() : store_(Open()), queue_(store_.Queue("jobs")) {
    const std::vector<Json> payloads(4, "x");
    queue_.EnqueueBatch(payloads);
    taken_ = queue_.DequeueBatch(2);
    EXPECT_TRUE(taken_[0].Ack());
    store_.Admin().Verify();
  }

  std::string Findings(const std::string& damage) {
    Shell().Execute(damage);
    return MessageOf<SchemaError>([&] { store_.Admin().Verify(); });
  }

  PgqrsStore& store() { return store_; }

 private:
  PgqrsStore store_;
  Queue queue_;
  std::vector<Message> taken_;
};

TEST_F(PostgresVerify, ASliceWithoutABatch) {
  EXPECT_THAT(Findings("DELETE FROM pgqrs_batches"),
              AllOf(HasSubstr("the database is damaged"), HasSubstr("slice "),
                    HasSubstr("archive row "), HasSubstr("its batch is missing")));
}

TEST_F(PostgresVerify, ABatchWithoutAQueue) {
  EXPECT_THAT(Findings("DELETE FROM pgqrs_queues"), HasSubstr("its queue is missing"));
}

TEST_F(PostgresVerify, ABatchWithoutMessages) {
  EXPECT_THAT(Findings("DELETE FROM pgqrs_slices; DELETE FROM pgqrs_archive"),
              HasSubstr("has no message in any state"));
}

TEST_F(PostgresVerify, AMessageInTwoPlaces) {
  EXPECT_THAT(Findings("UPDATE pgqrs_archive SET mask = 15, n = 4"),
              AllOf(HasSubstr("archive row "), HasSubstr("elsewhere too")));
}

TEST_F(PostgresVerify, AMessageThatTheBatchDoesNotHave) {
  EXPECT_THAT(Findings("UPDATE pgqrs_slices SET mask = mask | 16, n = n + 1 WHERE read_ct = 0"),
              HasSubstr("has messages that batch 1 lacks"));
}

TEST_F(PostgresVerify, ACountThatIsNotThatOfItsMask) {
  EXPECT_THAT(Findings("UPDATE pgqrs_slices SET n = n + 1 WHERE read_ct = 0;"
                       "UPDATE pgqrs_archive SET n = 2"),
              AllOf(HasSubstr("slice "), HasSubstr("counts 3 messages and has 2"),
                    HasSubstr("archive row "), HasSubstr("counts 2 messages and has 1")));
}

TEST_F(PostgresVerify, RowsThatCannotBe) {
  for (const auto* change : {"priority = 10", "read_ct = -1", "mask = 0, n = 0"}) {
    EXPECT_THAT(Findings("UPDATE pgqrs_slices SET " + std::string(change) + " WHERE read_ct = 0"),
                HasSubstr("its mask, priority or read count is impossible"));
  }
  EXPECT_THAT(Findings("UPDATE pgqrs_archive SET mask = 0, n = 0"),
              HasSubstr("it has no messages"));
}

TEST_F(PostgresVerify, PayloadsThatAreNoArrayOfTheBatchesLength) {
  EXPECT_THAT(Findings("UPDATE pgqrs_batches SET payloads = '[1,2]'"),
              HasSubstr("its payloads are no JSON array of its length"));
  EXPECT_THAT(Findings("UPDATE pgqrs_batches SET payloads = '{}'"),
              HasSubstr("its payloads are no JSON array of its length"));
}

TEST_F(PostgresVerify, ASequenceThatWouldGiveANumberAgain) {
  EXPECT_THAT(Findings("UPDATE pgqrs_batches SET id = 1000000"),
              HasSubstr("its next number is in use"));
}

TEST_F(PostgresVerify, TheReportIsBounded) {
  const auto report = Findings(
      "INSERT INTO pgqrs_batches (queue_id, id, n, enqueued_at, payloads) "
      "SELECT 99, i, 1, now(), '[1]' FROM generate_series(1000, 3000) AS i");
  EXPECT_THAT(report, HasSubstr("its queue is missing"));
  EXPECT_LT(report.size(), 20'000U);
}

TEST_F(PostgresVerify, APartitionIsPartOfItsTable) {
  const auto findings = Findings(
      "CREATE TABLE pgqrs_more (id int PRIMARY KEY) PARTITION BY RANGE (id);"
      "CREATE TABLE pgqrs_more_1 PARTITION OF pgqrs_more FOR VALUES FROM (1) TO (2);"
      "CREATE INDEX pgqrs_more_1_extra ON pgqrs_more_1 (id)");
  EXPECT_THAT(findings, HasSubstr("table pgqrs_more is not part of the schema"));
  EXPECT_THAT(findings, Not(HasSubstr("pgqrs_more_1")));
}

TEST_F(PostgresVerify, OfWhatIsMissingTheOwnerIsNamed) {
  const auto findings = Findings("DROP VIEW pgqrs_messages; CREATE TABLE pgqrs_more (id int)");
  EXPECT_THAT(findings, AllOf(HasSubstr("view pgqrs_messages is missing"),
                              HasSubstr("table pgqrs_more is not part of the schema"),
                              Not(HasSubstr("column"))));
}

TEST_F(PostgresVerify, NothingIsLeftOfTheComparison) {
  const std::string count = "SELECT count(*) FROM pg_class";
  const auto before = Shell().QueryInt(count);
  store().Admin().Verify();
  EXPECT_EQ(Shell().QueryInt(count), before);
}

TEST_F(PostgresVerify, PayloadsAreCompressedWithTheBestThatTheServerHas) {
  const bool has_lz4 = Shell().QueryInt(
      "SELECT count(*) FROM pg_settings "
      "WHERE name = 'default_toast_compression' AND 'lz4' = ANY (enumvals)");
  EXPECT_EQ(
      Shell().QueryText("SELECT attcompression FROM pg_attribute "
                        "WHERE attrelid = 'pgqrs_batches'::regclass AND attname = 'payloads'"),
      has_lz4 ? "l" : "");
}

// As after a dump that was restored on a server that is built another way.
TEST_F(PostgresVerify, OtherCompressionIsNoDamage) {
  for (const std::string method : {"pglz", "default"}) {
    Shell().Execute("ALTER TABLE pgqrs_batches ALTER payloads SET COMPRESSION " + method);
    EXPECT_NO_THROW(store().Admin().Verify()) << method;
  }
}

TEST_F(PostgresVerify, ARoleThatMayNotMakeASchemaIsTold) {
  const auto role = NewRole();
  Shell().Execute("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO " + role +
                  "; GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO " + role);
  config().dsn = DsnAs(role);
  auto limited = Open();
  EXPECT_THAT(MessageOf<InternalError>([&] { limited.Admin().Verify(); }),
              AllOf(HasSubstr("right to create a schema"), HasSubstr("permission denied")));
}

struct Change {
  std::string_view name;
  std::string_view statements;
  std::string_view finding;
};
void PrintTo(const Change& change, std::ostream* out) { *out << change.statements; }

constexpr auto kChanges = std::to_array<Change>({
    {"MissingIndex", "DROP INDEX pgqrs_slices_hot", "index pgqrs_slices_hot is missing"},
    {"OtherIndex",
     "DROP INDEX pgqrs_slices_hot; CREATE INDEX pgqrs_slices_hot ON pgqrs_slices (queue_id)",
     "index pgqrs_slices_hot has another definition"},
    {"ForeignIndex", "CREATE INDEX mine ON pgqrs_slices (read_ct)",
     "index mine is not part of the schema"},
    {"OtherView", "DROP VIEW pgqrs_messages; CREATE VIEW pgqrs_messages AS SELECT 1 AS id",
     "view pgqrs_messages has another definition"},
    {"ForeignColumn", "ALTER TABLE pgqrs_workers ADD note text",
     "column pgqrs_workers.note is not part of the schema"},
    {"OtherType", "ALTER TABLE pgqrs_workers ALTER status TYPE integer",
     "column pgqrs_workers.status has another definition"},
    {"OtherCollation", "ALTER TABLE pgqrs_workers ALTER name TYPE text COLLATE \"C\"",
     "column pgqrs_workers.name has another definition"},
    {"MissingNotNull", "ALTER TABLE pgqrs_workers ALTER name DROP NOT NULL",
     "column pgqrs_workers.name has another definition"},
    {"OtherDefault", "ALTER TABLE pgqrs_slices ALTER read_ct SET DEFAULT 1",
     "column pgqrs_slices.read_ct has another definition"},
    {"ColumnOption", "ALTER TABLE pgqrs_slices ALTER read_ct SET (n_distinct = 7)",
     "column pgqrs_slices.read_ct has another definition"},
    {"MissingIdentity", "ALTER TABLE pgqrs_workers ALTER id DROP IDENTITY",
     "column pgqrs_workers.id has another definition"},
    {"MissingConstraint", "ALTER TABLE pgqrs_workers DROP CONSTRAINT pgqrs_workers_status_check",
     "constraint pgqrs_workers_status_check of pgqrs_workers is missing"},
    {"ForeignConstraint", "ALTER TABLE pgqrs_queues ADD CONSTRAINT mine CHECK (id < 7) NOT VALID",
     "constraint mine of pgqrs_queues is not part of the schema"},
    {"StorageParameter", "ALTER TABLE pgqrs_queues SET (fillfactor = 42)",
     "table pgqrs_queues has another definition"},
    {"RowSecurity", "ALTER TABLE pgqrs_queues ENABLE ROW LEVEL SECURITY",
     "table pgqrs_queues has another definition"},
    {"OtherSequence", "ALTER SEQUENCE pgqrs_batch_ids CYCLE",
     "sequence pgqrs_batch_ids has another definition"},
    {"ForeignTrigger",
     "CREATE TRIGGER mine BEFORE UPDATE ON pgqrs_queues FOR EACH ROW "
     "EXECUTE FUNCTION suppress_redundant_updates_trigger()",
     "trigger mine of pgqrs_queues is not part of the schema"},
    {"ForeignFunction", "CREATE FUNCTION pgqrs_mine(n int) RETURNS int LANGUAGE sql AS 'SELECT n'",
     "function pgqrs_mine(n integer) is not part of the schema"},
});

class VerifySchema : public PostgresTest, public ::testing::WithParamInterface<Change> {};
INSTANTIATE_TEST_SUITE_P(Changes, VerifySchema, ::testing::ValuesIn(kChanges),
                         [](const auto& tested) { return std::string(tested.param.name); });

TEST_P(VerifySchema, TheChangeIsNamed) {
  // The name of the schema is taken out of definitions in each of its forms.
  config().schema = "it's \"ours\" {schema}";
  auto store = Open();
  store.Admin().Verify();
  auto shell = Shell();
  shell.Execute(R"(SET search_path = "it's ""ours"" {schema}")");
  shell.Execute(std::string(GetParam().statements));
  const auto findings = MessageOf<SchemaError>([&] { store.Admin().Verify(); });
  EXPECT_THAT(findings, HasSubstr(GetParam().finding));
}

class VerifyFreshSchema : public PostgresTest {};

// From 15.20 on, for example.
TEST_F(VerifyFreshSchema, WhatTheServerNotesOnAColumnIsNoChange) {
  auto store = Open();
  Shell().Execute(
      "SET allow_system_table_mods = on; UPDATE pg_attribute SET attoptions = '{pg_attver=7}' "
      "WHERE attrelid = 'pgqrs_slices'::regclass AND attname = 'read_ct'");
  EXPECT_NO_THROW(store.Admin().Verify());
}

}  // namespace
}  // namespace pgqrs::testing
