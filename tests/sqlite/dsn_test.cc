#include <string>

#include "driver/sqlite/sqlite_database.h"
#include "sqlite/sqlite_test.h"

namespace pgqrs::testing {
namespace {

driver::FileOptions Parsed(const std::string& dsn) { return driver::ParseSqliteDsn(Config(dsn)); }

std::string Refusal(const std::string& dsn) {
  return MessageOf<ConfigError>([&] { PgqrsStore::Connect(dsn); });
}

TEST(SqliteDsn, EachFormNamesItsPath) {
  EXPECT_EQ(Parsed("sqlite://relative/path.db").path, "relative/path.db");
  EXPECT_EQ(Parsed("sqlite:///absolute/path.db").path, "/absolute/path.db");
  EXPECT_EQ(Parsed("sqlite:path.db").path, "path.db");
  EXPECT_EQ(Parsed("sqlite:/absolute/path.db").path, "/absolute/path.db");
  EXPECT_EQ(Parsed("sqlite://with space & ünïcode.db").path, "with space & ünïcode.db");
  EXPECT_FALSE(Parsed("sqlite:path.db").in_memory());
}

TEST(SqliteDsn, MemoryIsADatabaseOfTheStoreAlone) {
  EXPECT_TRUE(Parsed("sqlite::memory:").in_memory());
  auto one = PgqrsStore::Connect("sqlite::memory:");
  auto two = PgqrsStore::Connect("sqlite::memory:");
  one.Queue("jobs");
  EXPECT_EQ(two.ListQueues().size(), 0U);
}

TEST(SqliteDsn, TheDurabilityIsFullUnlessNormalIsAskedFor) {
  EXPECT_TRUE(Parsed("sqlite:q.db").synchronous_full);
  EXPECT_TRUE(Parsed("sqlite:q.db?synchronous=full").synchronous_full);
  EXPECT_FALSE(Parsed("sqlite:q.db?synchronous=normal").synchronous_full);
  EXPECT_EQ(Parsed("sqlite:q.db?synchronous=normal").path, "q.db");
  EXPECT_EQ(Parsed("sqlite:q.db?").path, "q.db");
}

TEST(SqliteDsn, ADsnWithoutMeaningIsRefusedAndNamed) {
  EXPECT_THAT(Refusal("sqlite:"), HasSubstr("no path"));
  EXPECT_THAT(Refusal("sqlite://"), HasSubstr("no path"));
  EXPECT_THAT(Refusal("sqlite:?synchronous=full"), HasSubstr("no path"));
  EXPECT_THAT(Refusal("sqlite::memory"), HasSubstr("did you mean sqlite::memory:"));
  for (const auto* dsn : {"sqlite:///:memory:", "sqlite://memory:", "sqlite://memory"}) {
    EXPECT_THAT(Refusal(dsn), HasSubstr("did you mean sqlite::memory:")) << dsn;
  }
  EXPECT_THAT(Refusal("sqlite::temp:"), HasSubstr("did you mean sqlite::memory:"));
  EXPECT_THAT(Refusal(std::string("sqlite:a\0b", 10)), HasSubstr("NUL"));
}

TEST(SqliteDsn, AnUnknownParameterIsRefused) {
  EXPECT_THAT(Refusal("sqlite:q.db?cache=shared"), HasSubstr("\"cache\""));
  EXPECT_THAT(Refusal("sqlite:q.db?synchronous"), HasSubstr("synchronous is"));
  EXPECT_THAT(Refusal("sqlite:q.db?synchronous=off"), HasSubstr("\"full\" or \"normal\""));
  EXPECT_THAT(Refusal("sqlite:q.db?synchronous=FULL"), HasSubstr("synchronous is"));
  EXPECT_THAT(Refusal("sqlite:q.db?synchronous=full&synchronous=normal"), HasSubstr("twice"));
  EXPECT_THAT(Refusal("sqlite:q.db?synchronous=full&&"), HasSubstr("unknown parameter"));
}

TEST(SqliteDsn, TheValueOfAnUnknownParameterIsNotShown) {
  EXPECT_THAT(Refusal("sqlite:q.db?password=s3cret"), Not(HasSubstr("s3cret")));
}

}  // namespace
}  // namespace pgqrs::testing
