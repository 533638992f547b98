// Postgres servers for tests.
#ifndef PGQRS_TESTS_SUPPORT_POSTGRES_SERVER_H_
#define PGQRS_TESTS_SUPPORT_POSTGRES_SERVER_H_

#include <sys/types.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pgqrs::testing {

struct PostgresOptions {
  // Off makes it faster; a crash of the machine would then lose data, one of the server does not.
  bool fsync = true;

  // Connections over TCP need TLS, and dsn() is such a one. ca_file() can verify the server.
  bool tls = false;

  // As "name=value".
  std::vector<std::string> settings = {};

  // The process that the server does not outlive; without one it is this process.
  std::optional<pid_t> owner = {};
};

// A Postgres server of its own, of the programs in PGQRS_TEST_POSTGRES_BIN where that is set. It is
// stopped and removed with this object, or when this process ends in whatever way. Everything
// throws std::runtime_error where it fails. A start takes about a second: for a test that does not
// stop the server, SharedPostgres() does.
class PostgresServer {
 public:
  // kFast ends all sessions and shuts down in order. kImmediate is like a crash.
  enum class StopMode { kFast, kImmediate };

  explicit PostgresServer(const PostgresOptions& options = {});
  PostgresServer(const PostgresServer&) = delete;
  PostgresServer& operator=(const PostgresServer&) = delete;
  ~PostgresServer();

  // A hot standby, which follows the primary. Needs pg_basebackup, which not every package of
  // Postgres has.
  static PostgresServer StandbyOf(const PostgresServer& primary);

  // A PgBouncer in front of the server. Its mode is "transaction" or "session"; its settings are
  // "name=value".
  static PostgresServer PoolerOf(const PostgresServer& server, std::string_view mode,
                                 const std::vector<std::string>& settings = {});

  // Whether PgBouncer is installed.
  static bool HasPooler();

  // Of the database "postgres", as a superuser. It stays the same after a restart.
  const std::string& dsn() const { return dsn_; }
  std::string tcp_dsn() const;

  // The certificate of the authority that the server's certificate is from, with options.tls.
  std::string ca_file() const { return (folder_ / "ca.crt").string(); }

  const std::filesystem::path& folder() const { return folder_; }

  // Where its programs are.
  std::filesystem::path bin_folder() const;

  void Start();
  void Stop(StopMode mode = StopMode::kFast);
  void Restart(StopMode mode = StopMode::kFast);

  // Makes a standby a primary.
  void Promote();

 private:
  // What scripts/postgres takes, before and after the folder.
  PostgresServer(std::string command, const std::vector<std::string>& arguments,
                 std::optional<pid_t> owner = {});

  std::string Run(std::string command, const std::vector<std::string>& arguments) const;

  pid_t maker_;
  std::filesystem::path folder_;
  std::string dsn_;
};

// A server that the tests of this process share, without fsync. What it gives is dropped after the
// test that asked for it, or with this object where that was no test.
class SharedPostgresServer {
 public:
  // Of the server whose DSN this is, or else of one of its own.
  explicit SharedPostgresServer(const char* dsn);
  SharedPostgresServer(const SharedPostgresServer&) = delete;
  SharedPostgresServer& operator=(const SharedPostgresServer&) = delete;
  ~SharedPostgresServer();

  // Of a database that all share.
  const std::string& dsn() const { return dsn_; }

  // Makes an empty database, and gives its DSN.
  std::string NewDatabase();

  // The name of a schema that does not exist yet in the database of dsn(). Faster than a database.
  std::string NewSchema();

  // Drops what was asked for in tests, or with `all` everything.
  void Drop(bool all);

 private:
  struct Lent {
    std::string drop_statement;
    bool is_of_a_test;
  };

  class DropsAfterTests;

  void Lend(std::string drop_statement);

  std::unique_ptr<PostgresServer> server_;
  std::string dsn_;
  pid_t maker_;
  std::vector<Lent> lent_;
  DropsAfterTests* listener_;  // GoogleTest's.
};

// Started when it is first asked for; where PGQRS_TEST_POSTGRES_DSN names a server, it is that one.
// To be called from the thread of the test.
SharedPostgresServer& SharedPostgres();

}  // namespace pgqrs::testing

#endif  // PGQRS_TESTS_SUPPORT_POSTGRES_SERVER_H_
