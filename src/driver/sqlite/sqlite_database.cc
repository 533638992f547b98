#include "driver/sqlite/sqlite_database.h"

#include <pgqrs/error.h>

#include "driver/file/file_dsn.h"
#include "driver/file/process_clock.h"
#include "driver/sqlite/sqlite_connection.h"
#include "driver/sqlite/sqlite_listener.h"

namespace pgqrs::driver {

SqliteOptions ParseSqliteDsn(const Config& config) {
  SqliteOptions options;
  options.busy_timeout = config.connection_timeout;
  options.clock = ProcessClock(config);
  const auto dsn = ParseFileDsn(config.dsn, "sqlite:");
  options.path = dsn.path;
  for (const auto& parameter : dsn.parameters) {
    if (parameter.first != "synchronous") {
      throw ConfigError("dsn: unknown parameter \"" + parameter.first +
                        "\"; SQLite knows: synchronous");
    }
    options.synchronous_full = IsFirstOf(parameter, "full", "normal");
  }
  return options;
}

SqliteDatabase::SqliteDatabase(const Config& config) : options_(ParseSqliteDsn(config)) {
  options_.path = RealPath(options_.path);
}

std::unique_ptr<Connection> SqliteDatabase::OpenWriter() {
  return std::make_unique<SqliteConnection>(options_, SqliteConnection::Role::kWriter);
}

std::unique_ptr<Connection> SqliteDatabase::OpenReader() {
  return std::make_unique<SqliteConnection>(options_, SqliteConnection::Role::kReader);
}

std::unique_ptr<ChangeListener> SqliteDatabase::Listen(
    std::function<void(const Announcement&)> on_change) {
  if (is_private()) return nullptr;
  return SqliteListener::Start(options_, std::move(on_change));
}

}  // namespace pgqrs::driver
