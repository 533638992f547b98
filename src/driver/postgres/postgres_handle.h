// libpq with destructors and errors.
#ifndef PGQRS_DRIVER_POSTGRES_POSTGRES_HANDLE_H_
#define PGQRS_DRIVER_POSTGRES_POSTGRES_HANDLE_H_

#include <libpq-fe.h>

#include <memory>
#include <string>
#include <string_view>

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

// Connects, within the time-out of the options. Throws PgqrsConnectionError or Failure (kLost),
// where another attempt may succeed.
PostgresHandle OpenPostgres(const PostgresOptions& options);

// The failure that the server reported, or the loss of the connection, while doing `what`.
Failure PostgresFailure(PGconn* connection, const PGresult* result, std::string_view what);

}  // namespace pgqrs::driver

#endif  // PGQRS_DRIVER_POSTGRES_POSTGRES_HANDLE_H_
