// A thin hold on libpq: who closes what, and errors that are not overlooked.
#ifndef PGQRS_BENCH_LIMITS_POSTGRES_SESSION_H_
#define PGQRS_BENCH_LIMITS_POSTGRES_SESSION_H_

#include <libpq-fe.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace limits {

// The parameters of one statement, in the binary format.
class Parameters {
 public:
  Parameters& Add(std::int64_t value);
  Parameters& Add(std::span<const std::int64_t> values);
  Parameters& AddJsonArrays(std::span<const std::string> texts);

 private:
  friend class PostgresSession;
  std::vector<std::string> values_;
};

// The rows of one statement; columns and rows count from 0.
class PostgresResult {
 public:
  explicit PostgresResult(PGresult* result) : result_(result) {}

  PGresult* handle() const { return result_.get(); }
  int rows() const { return PQntuples(handle()); }
  std::int64_t changed_rows() const;
  std::string_view Bytes(int row, int column) const;
  // Of a bigint in the binary format.
  std::int64_t Int(int row, int column) const;

 private:
  struct Clear {
    void operator()(PGresult* result) const { PQclear(result); }
  };
  std::unique_ptr<PGresult, Clear> result_;
};

// One connection, for one thread, that finds its tables in `schema` and makes the plans that pgqrs
// makes. Errors are std::runtime_error.
class PostgresSession {
 public:
  PostgresSession(const std::string& dsn, const std::string& schema);

  PGconn* handle() const { return connection_.get(); }

  // Runs a text of several statements.
  void Run(const std::string& sql);

  // The one value that a query gives, as a text; empty for NULL and for no row.
  std::string Text(const std::string& sql);
  // The same of a number from 0 on; 0 for NULL and for no row.
  std::int64_t Number(const std::string& sql) { return std::stoll("0" + Text(sql)); }

  void Prepare(const char* name, const std::string& sql);

  // From now on only Send, Sync and Receive.
  void EnterPipeline();
  // Sends a prepared statement. What is sent between two calls of Sync is one transaction.
  void Send(const char* name, const Parameters& parameters);
  void Sync();
  // The answer to the oldest statement that has none yet. The one before a Sync is to be received
  // by ReceiveLast, which also waits for the commit.
  PostgresResult Receive();
  PostgresResult ReceiveLast();

 private:
  struct Finish {
    void operator()(PGconn* connection) const { PQfinish(connection); }
  };

  PostgresResult Checked(PGresult* result);

  std::unique_ptr<PGconn, Finish> connection_;
};

// `text` as an SQL identifier.
std::string QuotedName(std::string_view text);

}  // namespace limits

#endif  // PGQRS_BENCH_LIMITS_POSTGRES_SESSION_H_
