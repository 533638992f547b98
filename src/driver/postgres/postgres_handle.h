// libpq with destructors and errors.
#ifndef PGQRS_DRIVER_POSTGRES_POSTGRES_HANDLE_H_
#define PGQRS_DRIVER_POSTGRES_POSTGRES_HANDLE_H_

#include <libpq-fe.h>

#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "driver/driver.h"
#include "driver/postgres/postgres_dsn.h"

namespace pgqrs::driver {

struct FinishConnection {
  void operator()(PGconn* connection) const { PQfinish(connection); }
};
using PostgresHandle = std::unique_ptr<PGconn, FinishConnection>;

struct ClearResult {
  void operator()(PGresult* result) const { PQclear(result); }
};
using PostgresResult = std::unique_ptr<PGresult, ClearResult>;

// Keywords and values as libpq takes them: each list ends with a null. What they come from has to
// live as long.
class ConnectionWords {
 public:
  ConnectionWords(
      std::initializer_list<std::reference_wrapper<const PostgresOptions::Words>> lists);

  const char* const* keywords() const { return keywords_.data(); }
  const char* const* values() const { return values_.data(); }

 private:
  std::vector<const char*> keywords_;
  std::vector<const char*> values_;
};

// libpq prints the server's notices unless it is told what else to do with them.
void IgnoreNotices(PGconn* connection);

// Connects, within the time-out of the options. Throws PgqrsConnectionError or Failure (kLost),
// where another attempt may succeed.
PostgresHandle OpenPostgres(const PostgresOptions& options);

// The failure that the server reported, or the loss of the connection, while doing `what`.
Failure PostgresFailure(PGconn* connection, const PGresult* result, std::string_view what);

}  // namespace pgqrs::driver

#endif  // PGQRS_DRIVER_POSTGRES_POSTGRES_HANDLE_H_
