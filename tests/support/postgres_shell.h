#ifndef PGQRS_TESTS_SUPPORT_POSTGRES_SHELL_H_
#define PGQRS_TESTS_SUPPORT_POSTGRES_SHELL_H_

#include <libpq-fe.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace pgqrs::testing {

// A connection to a Postgres database beside the library's. It throws std::runtime_error where
// something fails.
class PostgresShell {
 public:
  explicit PostgresShell(const std::string& dsn);

  // Runs one statement or several, whatever they give.
  void Execute(const std::string& sql) { Run(sql); }

  // The rows of the last statement. A null is "NULL".
  std::vector<std::vector<std::string>> Query(const std::string& sql);

  // The only column of the only row.
  std::string QueryText(const std::string& sql);
  std::int64_t QueryInt(const std::string& sql) { return std::stoll(QueryText(sql)); }

  // Waits until no other session of a client is in the database: then what each of them has read is
  // in the statistics.
  void AwaitTheEndOfSessions();

  PGconn* connection() { return connection_.get(); }

 private:
  using Result = std::unique_ptr<PGresult, decltype(&PQclear)>;

  Result Run(const std::string& sql);

  std::unique_ptr<PGconn, decltype(&PQfinish)> connection_;
};

}  // namespace pgqrs::testing

#endif  // PGQRS_TESTS_SUPPORT_POSTGRES_SHELL_H_
