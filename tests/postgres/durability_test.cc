// A commit is durable whatever the database says of it, unless the DSN asks for less.
#include "postgres/postgres_test.h"

namespace pgqrs::testing {
namespace {

class PostgresDurability : public PostgresTest {
 protected:
  // What synchronous_commit is in a transaction that enqueues.
  std::string Setting() {
    Open().Queue("jobs").Enqueue("x");
    return Shell().QueryText("SELECT setting FROM seen");
  }

  void NoteSettings() {
    Open();
    Shell().Execute(
        "CREATE TABLE seen AS SELECT ''::text AS setting; "
        "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "UPDATE seen SET setting = current_setting('synchronous_commit'); RETURN NULL; END $$; "
        "CREATE TRIGGER note AFTER INSERT ON pgqrs_batches EXECUTE FUNCTION note()");
  }

  void SetForDatabase(const std::string& value) {
    Shell().Execute("DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET synchronous_commit = " +
                    value + "', current_database()); END $$");
  }
};

TEST_F(PostgresDurability, IsNotTurnedOffByTheDatabase) {
  NoteSettings();
  SetForDatabase("off");
  EXPECT_EQ(Setting(), "on");
  SetForDatabase("remote_apply");
  EXPECT_EQ(Setting(), "remote_apply");
}

TEST_F(PostgresDurability, IsTurnedOffByTheDsn) {
  NoteSettings();
  config().dsn = DsnWith("options=-c%20synchronous_commit%3Doff");
  EXPECT_EQ(Setting(), "off");
}

}  // namespace
}  // namespace pgqrs::testing
