// Statements in a transaction of the caller's, on a connection of the caller's.
#ifndef PGQRS_DRIVER_POSTGRES_CALLER_CONNECTION_H_
#define PGQRS_DRIVER_POSTGRES_CALLER_CONNECTION_H_

#include <libpq-fe.h>
#include <pgqrs/config.h>
#include <pgqrs/json.h>
#include <pgqrs/time.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace pgqrs::driver {

// Throws ValidationError where the connection has no transaction in which a statement can be run
// now, or PgqrsConnectionError where it is lost. Asks nothing of the server.
void RequireTransaction(PGconn* connection);

// Checked arguments. At most one of delay and visible_at.
struct CallerEnqueue {
  const std::string& queue;
  std::span<const Json> payloads;
  std::optional<Duration> delay;
  std::optional<TimePoint> visible_at;
  int priority;
};

// Gives the ids in the order of the payloads. Throws QueueNotFoundError, SchemaError or Failure;
// the transaction has failed then.
std::vector<std::int64_t> EnqueueOn(PGconn* connection, const Config& config,
                                    const CallerEnqueue& what);

}  // namespace pgqrs::driver

#endif  // PGQRS_DRIVER_POSTGRES_CALLER_CONNECTION_H_
