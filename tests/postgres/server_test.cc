// The servers that the tests use: what the other tests take for granted of them.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <functional>
#include <stdexcept>
#include <string>
#include <thread>

#include "support/postgres_server.h"
#include "support/postgres_shell.h"
#include "support/throws.h"

namespace pgqrs::testing {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;

constexpr std::chrono::seconds kPatience(60);

// Waits for what another process does.
void Await(const std::function<bool()>& condition) {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) throw std::runtime_error("waited in vain");
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
}

const PostgresOptions kQuick = {.fsync = false};

TEST(PostgresServer, AnswersOverItsSocketAndOverTcp) {
  const PostgresServer server(kQuick);

  EXPECT_EQ(PostgresShell(server.dsn()).QueryText("SHOW server_encoding"), "UTF8");
  EXPECT_EQ(PostgresShell(server.tcp_dsn()).QueryText("SELECT inet_server_addr()"), "127.0.0.1");
}

TEST(PostgresServer, TakesSettings) {
  const PostgresServer server({.settings = {"application_name=it's"}});

  PostgresShell shell(server.dsn());
  EXPECT_EQ(shell.QueryText("SHOW application_name"), "it's");
  EXPECT_EQ(shell.QueryText("SHOW fsync"), "on");
}

TEST(PostgresServer, AsksForAPasswordOverTcp) {
  const PostgresServer server(kQuick);
  const auto dsn = server.tcp_dsn();
  const auto host = dsn.substr(dsn.find('@'));

  EXPECT_THAT(
      MessageOf<std::runtime_error>([&] { PostgresShell("postgresql://postgres:guess" + host); }),
      HasSubstr("password authentication failed"));
}

TEST(PostgresServer, KeepsWhatWasCommittedBeforeAnImmediateRestart) {
  PostgresServer server;
  const auto dsn = server.dsn();
  PostgresShell(dsn).Execute("CREATE TABLE kept AS SELECT 1 AS n");

  server.Restart(PostgresServer::StopMode::kImmediate);

  EXPECT_EQ(server.dsn(), dsn);
  EXPECT_EQ(PostgresShell(dsn).QueryInt("SELECT n FROM kept"), 1);
}

TEST(PostgresServer, DoesNotAnswerWhileItIsStopped) {
  PostgresServer server(kQuick);
  server.Stop();
  EXPECT_THAT(MessageOf<std::runtime_error>([&] { PostgresShell shell(server.dsn()); }),
              HasSubstr("connection to server"));

  server.Start();
  EXPECT_EQ(PostgresShell(server.dsn()).QueryInt("SELECT 1"), 1);
}

TEST(PostgresServer, AStandbyFollowsAndCanBePromoted) {
  PostgresServer primary(kQuick);
  if (!std::filesystem::exists(primary.bin_folder() / "pg_basebackup")) {
    GTEST_SKIP() << "this package of Postgres has no pg_basebackup";
  }
  auto standby = PostgresServer::StandbyOf(primary);
  PostgresShell(primary.dsn()).Execute("CREATE TABLE copied AS SELECT 1 AS n");
  PostgresShell shell(standby.dsn());
  ASSERT_EQ(shell.QueryText("SELECT pg_is_in_recovery()"), "t");
  Await([&] { return shell.QueryText("SELECT to_regclass('copied') IS NOT NULL") == "t"; });

  primary.Stop(PostgresServer::StopMode::kImmediate);
  standby.Promote();

  shell.Execute("INSERT INTO copied VALUES (2)");
  EXPECT_EQ(shell.QueryInt("SELECT sum(n) FROM copied"), 3);
}

TEST(PostgresServer, PgBouncerAnswersForIt) {
  if (!PostgresServer::HasPooler()) GTEST_SKIP() << "pgbouncer is not installed";
  const PostgresServer server(kQuick);
  for (const auto* mode : {"transaction", "session"}) {
    const auto pooler = PostgresServer::PoolerOf(server, mode);
    PostgresShell shell(pooler.dsn());
    EXPECT_EQ(shell.QueryText("SHOW port"), PostgresShell(server.dsn()).QueryText("SHOW port"));
    // The console of PgBouncer itself.
    auto console = pooler.dsn();
    console.replace(console.rfind('/') + 1, std::string::npos, "pgbouncer");
    EXPECT_THAT(PostgresShell(console).Query("SHOW CONFIG"),
                Contains(AllOf(Contains("pool_mode"), Contains(mode))));
  }
}

TEST(PostgresServer, LetsOnlyTlsInWithTlsAndCanBeVerified) {
  const PostgresServer server({.fsync = false, .tls = true});

  EXPECT_THAT(server.dsn(), HasSubstr("sslmode=verify-full"));
  EXPECT_EQ(PostgresShell(server.dsn())
                .QueryText("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"),
            "t");
  EXPECT_TRUE(std::filesystem::exists(server.ca_file()));
  EXPECT_THAT(
      MessageOf<std::runtime_error>([&] { PostgresShell(server.dsn() + "&sslmode=disable"); }),
      HasSubstr("no encryption"));
}

TEST(PostgresServer, EndsWhenItsOwnerWasKilled) {
  const char* arguments[] = {"sleep", "600", nullptr};
  pid_t owner = -1;
  ASSERT_EQ(posix_spawnp(&owner, arguments[0], nullptr, nullptr,
                         const_cast<char* const*>(arguments), environ),
            0);
  const PostgresServer server({.fsync = false, .owner = owner});
  PostgresShell shell(server.dsn());

  kill(owner, SIGKILL);

  Await([&] { return !std::filesystem::exists(server.folder()); });
  EXPECT_EQ(waitpid(owner, nullptr, 0), owner);
  EXPECT_THROW(shell.Execute("SELECT 1"), std::runtime_error);
}

TEST(SharedPostgres, GivesEachCallerAnEmptyDatabaseOfItsOwn) {
  const auto first = SharedPostgres().NewDatabase();
  PostgresShell(first).Execute("CREATE TABLE mine AS SELECT 1 AS n");
  const auto second = SharedPostgres().NewDatabase();

  EXPECT_EQ(PostgresShell(second).QueryText("SELECT to_regclass('mine')"), "NULL");
  EXPECT_EQ(PostgresShell(first).QueryInt("SELECT n FROM mine"), 1);
}

TEST(SharedPostgres, NamesEachSchemaDifferently) {
  const auto first = SharedPostgres().NewSchema();
  const auto second = SharedPostgres().NewSchema();

  EXPECT_NE(first, second);
  PostgresShell(SharedPostgres().dsn()).Execute("CREATE SCHEMA " + first);
}

TEST(SharedPostgres, DropsWhatATestUsedEvenWhileItIsConnected) {
  const PostgresServer server(kQuick);
  SharedPostgresServer shared(server.dsn().c_str());
  const PostgresShell connected(shared.NewDatabase());
  PostgresShell shell(server.dsn());
  shell.Execute("CREATE SCHEMA " + shared.NewSchema());

  shared.Drop(/*all=*/false);

  EXPECT_EQ(shell.QueryInt("SELECT count(*) FROM pg_database WHERE datname LIKE 'pgqrs_test_%'"),
            0);
  EXPECT_EQ(shell.QueryInt("SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'pgqrs_test_%'"),
            0);
}

}  // namespace
}  // namespace pgqrs::testing
