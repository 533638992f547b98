// Connections that verify the server's certificate.
#include <string>

#include "postgres/postgres_test.h"

namespace pgqrs::testing {
namespace {

const PostgresOptions kWithTls = {.fsync = false, .tls = true};

class PostgresTls : public ::testing::Test {
 protected:
  // The DSN of the server with this certificate of an authority, and for this name of the host.
  std::string Dsn(const std::string& ca_file, const std::string& host) const {
    return "host=" + host + " hostaddr=127.0.0.1 port=" + Part("localhost:", "/") +
           " user=postgres password=" + password() + " dbname=postgres sslmode=verify-full" +
           " sslrootcert=" + ca_file;
  }

  std::string password() const { return Part("postgres:", "@"); }

  // What the library says where it does not connect.
  std::string Refusal(const std::string& ca_file, const std::string& host) const {
    Config config(Dsn(ca_file, host));
    std::string logged;
    config.log = [&](const LogRecord& record) { logged += record.message; };
    auto text = MessageOf<PgqrsConnectionError>([&] { PgqrsStore::Connect(config); });
    EXPECT_THAT(text, Not(HasSubstr(password())));
    EXPECT_THAT(logged, Not(HasSubstr(password())));
    return text;
  }

  const PostgresServer server_{kWithTls};

 private:
  // What stands between two texts in the DSN of the server.
  std::string Part(const std::string& before, const std::string& behind) const {
    const auto& dsn = server_.dsn();
    const auto begin = dsn.find(before, dsn.find("//") + 2) + before.size();
    return dsn.substr(begin, dsn.find(behind, begin) - begin);
  }
};

TEST_F(PostgresTls, TheRightAuthorityAndHostAreTaken) {
  ASSERT_THAT(password(), SizeIs(32));
  Config config(Dsn(server_.ca_file(), "localhost"));
  config.fallback_poll_interval = hours(1);
  auto store = PgqrsStore::Connect(config);
  auto other = PgqrsStore::Connect(server_.dsn());
  auto waiting = store.Queue("jobs").DequeueWaitAsync(minutes(1));
  other.Queue("jobs").Enqueue("x");
  EXPECT_TRUE(waiting.Get());
  PostgresShell shell(config.dsn);
  EXPECT_EQ(shell.QueryInt("SELECT count(*) FROM pg_stat_activity JOIN pg_stat_ssl USING (pid) "
                           "WHERE client_addr IS NOT NULL AND NOT ssl"),
            0);
}

TEST_F(PostgresTls, AnotherAuthorityIsRefused) {
  const PostgresServer other(kWithTls);
  EXPECT_THAT(Refusal(other.ca_file(), "localhost"), HasSubstr("certificate verify failed"));
}

TEST_F(PostgresTls, AMissingFileOfTheAuthorityIsNamed) {
  EXPECT_THAT(Refusal("/nowhere/ca.crt", "localhost"), HasSubstr("/nowhere/ca.crt"));
}

TEST_F(PostgresTls, AnotherHostIsRefused) {
  EXPECT_THAT(Refusal(server_.ca_file(), "db.example.com"),
              AllOf(HasSubstr("db.example.com"), HasSubstr("certificate for \"localhost\"")));
}

TEST_F(PostgresTls, AServerThatInsistsOnTlsRefusesOthers) {
  Config config(Dsn(server_.ca_file(), "localhost") + " sslmode=disable");
  EXPECT_THAT(MessageOf<PgqrsConnectionError>([&] { PgqrsStore::Connect(config); }),
              AllOf(HasSubstr("no encryption"), Not(HasSubstr(password()))));
}

TEST_F(PostgresTls, AWrongPasswordIsToldWithoutIt) {
  auto dsn = Dsn(server_.ca_file(), "localhost") + " password=guessed-in-vain";
  EXPECT_THAT(MessageOf<PgqrsConnectionError>([&] { PgqrsStore::Connect(dsn); }),
              AllOf(HasSubstr("password authentication failed"), Not(HasSubstr("guessed"))));
}

}  // namespace
}  // namespace pgqrs::testing
