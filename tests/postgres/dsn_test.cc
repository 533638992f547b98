#include <string>
#include <string_view>

#include "driver/postgres/postgres_dsn.h"
#include "postgres/postgres_test.h"
#include "support/stranger.h"
#include "support/temp_folder.h"

namespace pgqrs::testing {
namespace {

driver::PostgresOptions Parsed(const std::string& dsn) {
  return driver::ParsePostgresDsn(Config(dsn));
}

// The value that counts of a keyword, or that it has none.
std::string ValueOf(const driver::PostgresOptions& options, std::string_view keyword) {
  std::string found = "(none)";
  for (const auto* parameters : {&options.timeouts, &options.parameters}) {
    for (const auto& [name, value] : *parameters) {
      if (name == keyword) found = value;
    }
  }
  return found;
}

std::string Refusal(const std::string& dsn) {
  return MessageOf<ConfigError>([&] { PgqrsStore::Connect(dsn); });
}

// What Connect says where it cannot reach the server. One that hangs would end by the test's limit.
std::string Failure(const std::string& dsn) {
  Config config(dsn);
  config.connection_timeout = seconds(2);
  return MessageOf<PgqrsConnectionError>([&] { PgqrsStore::Connect(config); });
}

TEST(PostgresDsn, AUrlIsRead) {
  const auto options = Parsed(
      "postgresql://ada%40home:p%2Fw@db.example.com:6543/"
      "app?sslmode=verify-full&options=-c%20x.y%3D1");
  EXPECT_EQ(ValueOf(options, "user"), "ada@home");
  EXPECT_EQ(ValueOf(options, "password"), "p/w");
  EXPECT_EQ(ValueOf(options, "host"), "db.example.com");
  EXPECT_EQ(ValueOf(options, "port"), "6543");
  EXPECT_EQ(ValueOf(options, "dbname"), "app");
  EXPECT_EQ(ValueOf(options, "sslmode"), "verify-full");
  EXPECT_EQ(ValueOf(options, "options"), "-c x.y=1");
  EXPECT_EQ(ValueOf(Parsed("postgres:///app?host=/run/pg&user=ada@home"), "host"), "/run/pg");
}

TEST(PostgresDsn, KeywordsAreRead) {
  const auto options = Parsed(R"( host = /run/pg dbname='my app' password='it\'s' )");
  EXPECT_EQ(ValueOf(options, "host"), "/run/pg");
  EXPECT_EQ(ValueOf(options, "dbname"), "my app");
  EXPECT_EQ(ValueOf(options, "password"), "it's");
}

TEST(PostgresDsn, SeveralHostsShareTheTimeOut) {
  Config config("postgresql://one:1,two:2,[::1]:3/app?target_session_attrs=read-write");
  config.connection_timeout = seconds(30);
  const auto options = driver::ParsePostgresDsn(config);
  EXPECT_EQ(ValueOf(options, "host"), "one,two,::1");
  EXPECT_EQ(ValueOf(options, "port"), "1,2,3");
  EXPECT_EQ(ValueOf(options, "target_session_attrs"), "read-write");
  EXPECT_EQ(ValueOf(options, "connect_timeout"), "10");
}

TEST(PostgresDsn, AMachineThatIsGoneIsNoticedWithinTheTimeOut) {
  Config config("host=h");
  config.connection_timeout = seconds(30);
  const auto options = driver::ParsePostgresDsn(config);
  EXPECT_EQ(ValueOf(options, "keepalives_idle"), "15");
  EXPECT_EQ(ValueOf(options, "keepalives_interval"), "5");
  EXPECT_EQ(ValueOf(options, "keepalives_count"), "3");
  EXPECT_EQ(ValueOf(options, "tcp_user_timeout"), "30000");
  config.connection_timeout = std::chrono::milliseconds(1);
  EXPECT_EQ(ValueOf(driver::ParsePostgresDsn(config), "keepalives_idle"), "1");
  config.connection_timeout = kMaxDuration;
  EXPECT_EQ(ValueOf(driver::ParsePostgresDsn(config), "tcp_user_timeout"), "7200000");
}

TEST(PostgresDsn, WhatItSaysItselfCounts) {
  const auto options = Parsed("host=h connect_timeout=7 application_name=mine tcp_user_timeout=8");
  EXPECT_EQ(ValueOf(options, "connect_timeout"), "7");
  EXPECT_EQ(ValueOf(options, "tcp_user_timeout"), "8");
  EXPECT_EQ(ValueOf(options, "application_name"), "mine");
  EXPECT_EQ(ValueOf(options, "fallback_application_name"), "pgqrs");
}

TEST(PostgresDsn, AnUnknownParameterIsNamed) {
  EXPECT_THAT(Refusal("postgresql://ada@host/db?colour=red"), HasSubstr("\"colour\""));
  EXPECT_THAT(Refusal("host=db colour=red"), HasSubstr("\"colour\""));
}

TEST(PostgresDsn, AMalformedOneIsRefusedWithoutAWordOfThePassword) {
  for (const std::string dsn :
       {"postgresql://ada:s3cret@[::1/db", "postgresql://ada:s3cret@host:5432:5433/db",
        "postgresql://ada:s3cret@host:here/db", "postgresql://ada:s3cret%zz@host/db",
        "postgresql://ada:s3cret@host/db?sslmode", "postgresql://ada:s3cret@host/db?=1",
        // Passwords that are not encoded.
        "postgresql://ada:pass@s3cret@host/db", "postgresql://ada:s3cret/word@host/db",
        "postgresql://ada:123/s3cret@host/db", "postgresql://ada:12?s3cret=1/x@host/db",
        "postgresql://ada:12?s3cret/x@host/db",
        // Passwords that are not quoted.
        "host=db password=s3 s3cret", "host=db password=s3 s3cret=x", "host=db password='s3cret",
        "password=s3 s3cret=x host=db"}) {
    EXPECT_THAT(Refusal(dsn), AllOf(StartsWith("dsn: "), Not(HasSubstr("s3cret")))) << dsn;
  }
  EXPECT_THAT(Refusal(std::string("host=a\0b", 8)), HasSubstr("NUL"));
}

TEST(PostgresDsn, AHostThatRefusesIsNamed) {
  EXPECT_THAT(Failure("postgresql://ada:s3cret@127.0.0.1:1/db"),
              AllOf(StartsWith("cannot connect to Postgres"), HasSubstr("127.0.0.1"),
                    HasSubstr("port 1 "), HasSubstr("refused"), Not(HasSubstr("s3cret"))));
}

TEST(PostgresDsn, AHostThatDoesNotExistIsNamed) {
  EXPECT_THAT(Failure("postgresql://ada:s3cret@nowhere.invalid/db"),
              AllOf(StartsWith("cannot connect to Postgres"), HasSubstr("nowhere.invalid"),
                    Not(HasSubstr("s3cret"))));
}

TEST(PostgresDsn, ASocketThatIsNotThereIsNamed) {
  const TempFolder folder;
  EXPECT_THAT(Failure("host=" + folder.path().string() + " password=s3cret"),
              AllOf(HasSubstr(folder.path().string()), Not(HasSubstr("s3cret"))));
}

TEST(PostgresDsn, APortThatAnswersGarbageIsNamed) {
  const Stranger listener("HTTP/1.1 400 Bad Request\r\n\r\n");
  for (const std::string tls : {"?sslmode=disable", "?sslmode=prefer", "?sslmode=require"}) {
    EXPECT_THAT(Failure(listener.dsn("ada:s3cret") + tls),
                AllOf(StartsWith("cannot connect to Postgres"),
                      HasSubstr("port " + listener.port()), Not(HasSubstr("s3cret"))));
  }
}

TEST(PostgresDsn, AHostThatNeverAnswersIsGivenUpInTime) {
  const Stranger listener("");
  EXPECT_THAT(Failure(listener.dsn("ada:s3cret")),
              AllOf(StartsWith("cannot connect to Postgres"), HasSubstr("port " + listener.port()),
                    HasSubstr("timeout"), Not(HasSubstr("s3cret"))));
}

class PostgresDsnOfAServer : public PostgresTest {
 protected:
  // The DSN with other values of some keywords.
  std::string With(const std::string& keywords) {
    std::string dsn;
    for (const auto& [keyword, value] : Parsed(config().dsn).parameters) {
      std::string quoted;
      for (const char c : value)
        quoted += c == '\'' || c == '\\' ? std::string{'\\', c} : std::string(1, c);
      dsn.append(keyword).append("='").append(quoted).append("' ");
    }
    return dsn + keywords;
  }
  std::string Value(const std::string& keyword) { return ValueOf(Parsed(config().dsn), keyword); }
};

TEST_F(PostgresDsnOfAServer, KeywordsOpenTheSameDatabase) {
  Open().Queue("jobs").Enqueue("x");
  auto store = PgqrsStore::Connect(With(""));
  EXPECT_TRUE(store.Queue("jobs").Dequeue());
}

TEST_F(PostgresDsnOfAServer, ADatabaseOfAnotherEncodingIsRefused) {
  const auto name = NewRole();  // Nobody else has it.
  Shell().Execute("CREATE DATABASE " + name +
                  " ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0");
  config().dsn = DsnWith("dbname=" + name);
  EXPECT_THAT(MessageOf<PgqrsConnectionError>([&] { Open(); }), HasSubstr("LATIN1"));
  Shell().Execute("DROP DATABASE " + name);
}

TEST_F(PostgresDsnOfAServer, AnUnknownDatabaseIsNamed) {
  EXPECT_THAT(Failure(With("dbname=no_such_database")),
              AllOf(HasSubstr("no_such_database"), HasSubstr("does not exist")));
}

TEST_F(PostgresDsnOfAServer, AnUnknownRoleIsNamed) {
  EXPECT_THAT(Failure(With("user=nobody_at_all password=s3cret")),
              AllOf(HasSubstr("nobody_at_all"), Not(HasSubstr("s3cret"))));
}

TEST_F(PostgresDsnOfAServer, TheFirstHostThatAnswersIsUsed) {
  const Stranger listener("");
  const auto hosts = "host='127.0.0.1,127.0.0.1," + Value("host") + "' port='1," + listener.port() +
                     "," + Value("port") + "' connect_timeout=2";
  auto store = PgqrsStore::Connect(With(hosts));
  EXPECT_GT(store.Queue("jobs").Enqueue("x"), 0);
}

TEST(PostgresDsn, AWrongPasswordIsNotShown) {
  const PostgresServer server({.fsync = false});
  const auto dsn = server.tcp_dsn();
  EXPECT_THAT(Failure("postgresql://postgres:s3cret" + dsn.substr(dsn.find('@'))),
              AllOf(StartsWith("cannot connect to Postgres"),
                    HasSubstr("password authentication failed for user \"postgres\""),
                    Not(HasSubstr("s3cret"))));
}

}  // namespace
}  // namespace pgqrs::testing
