// The Postgres server seen from outside: what it spends.
#ifndef PGQRS_BENCH_SERVER_H_
#define PGQRS_BENCH_SERVER_H_

#include <cstdint>
#include <string>

#include "limits/postgres_session.h"

namespace bench {

// Of this process.
double CpuSeconds();

// What our connections are called in pg_stat_activity; set for libpq by its environment variable.
inline constexpr const char* kApplicationName = "pgqrs_bench";

class Server {
 public:
  explicit Server(const std::string& dsn);

  std::string Setting(const std::string& name);

  // Throws where what it writes would not be durable, so that figures would mean nothing.
  void ExpectDurable();

  // Of all its processes since its start, those that have ended included. Throws where it does not
  // run on this machine.
  double CpuSeconds() const;

  // In bytes since ever.
  std::int64_t WalPosition();

  // Those of this database that were committed since ever, as far as its statistics know.
  std::int64_t Transactions();

  // Waits until it has noticed that all other connections of ours were closed; what they did is in
  // its statistics then.
  void WaitForLastClient();

  // Versions of rows of the schema's tables that updates and deletes have left dead so far, whether
  // or not they were vacuumed since.
  std::int64_t DeadTuples(const std::string& schema);

 private:
  limits::PostgresSession session_;
};

}  // namespace bench

#endif  // PGQRS_BENCH_SERVER_H_
