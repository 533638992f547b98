#include "driver/sqlite/sqlite_database.h"

#include <pgqrs/error.h>

#include "driver/file/file_dsn.h"
#include "driver/file/process_clock.h"
#include "driver/sqlite/sqlite_listener.h"
#include "driver/sqlite/sqlite_session.h"

namespace pgqrs::driver {

FileOptions ParseSqliteDsn(const Config& config) {
  FileOptions options;
  options.busy_timeout = config.connection_timeout;
  options.clock = ProcessClock(config);
  const auto dsn = ParseFileDsn(config.dsn, "sqlite:");
  options.path = dsn.path;
  for (const auto& parameter : dsn.parameters) {
    if (parameter.first != "synchronous") {
      ThrowUnknownParameter(parameter.first, "SQLite knows: synchronous");
    }
    options.synchronous_full = IsFirstOf(parameter, "full", "normal");
  }
  return options;
}

SqliteDatabase::SqliteDatabase(const Config& config) : options_(ParseSqliteDsn(config)) {
  options_.path = RealPath(options_.path);
}

std::unique_ptr<Connection> SqliteDatabase::OpenWriter() {
  return Open(FileConnection::Role::kWriter);
}

std::unique_ptr<Connection> SqliteDatabase::OpenReader() {
  return Open(FileConnection::Role::kReader);
}

std::unique_ptr<Connection> SqliteDatabase::Open(FileConnection::Role role) {
  return std::make_unique<FileConnection>("sqlite", options_,
                                          std::make_unique<SqliteSession>(options_, role));
}

std::unique_ptr<ChangeListener> SqliteDatabase::Listen(
    std::function<void(const Announcement&)> on_change) {
  if (is_private()) return nullptr;
  return SqliteListener::Start(options_, std::move(on_change));
}

}  // namespace pgqrs::driver
