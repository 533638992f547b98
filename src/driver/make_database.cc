#include <pgqrs/error.h>

#include "driver/driver.h"
#include "driver/sqlite/sqlite_database.h"

namespace pgqrs::driver {

std::unique_ptr<Database> MakeDatabase(const Config& config) {
  const std::string_view dsn = config.dsn;
  if (dsn.starts_with("sqlite:")) return std::make_unique<SqliteDatabase>(config);
  for (const std::string_view scheme : {"postgresql:", "postgres:", "turso:"}) {
    if (dsn.starts_with(scheme)) {
      throw ConfigError("dsn: this build has no backend for \"" + std::string(scheme) + "\"");
    }
  }
  // The DSN itself may hold a password, so it is not shown.
  throw ConfigError(
      "dsn: unknown scheme; expected sqlite:PATH, sqlite:///ABSOLUTE/PATH or sqlite::memory:");
}

}  // namespace pgqrs::driver
