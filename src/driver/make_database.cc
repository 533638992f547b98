#include <pgqrs/error.h>

#include "driver/driver.h"
#include "driver/postgres/postgres_database.h"
#include "driver/sqlite/sqlite_database.h"

#ifdef PGQRS_WITH_TURSO
#include "driver/turso/turso_database.h"
#endif

namespace pgqrs::driver {

std::unique_ptr<Database> MakeDatabase(const Config& config) {
  const std::string_view dsn = config.dsn;
  if (dsn.starts_with("sqlite:")) return std::make_unique<SqliteDatabase>(config);
  if (IsPostgresDsn(dsn)) return std::make_unique<PostgresDatabase>(config);
  if (dsn.starts_with("turso:")) {
#ifdef PGQRS_WITH_TURSO
    return std::make_unique<TursoDatabase>(config);
#else
    throw ConfigError(
        "dsn: this build has no backend for \"turso:\"; it was made without PGQRS_WITH_TURSO "
        "(make install TURSO=ON)");
#endif
  }
  // The DSN itself may hold a password, so it is not shown.
  throw ConfigError(
      "dsn: unknown scheme; expected sqlite:PATH, sqlite:///ABSOLUTE/PATH, sqlite::memory:, "
      "the same with turso:, "
      "postgresql://USER@HOST/DATABASE or keyword=value pairs as libpq takes them");
}

}  // namespace pgqrs::driver
