// SQLite as a backend: files in WAL mode, and private databases in memory.
#ifndef PGQRS_DRIVER_SQLITE_SQLITE_DATABASE_H_
#define PGQRS_DRIVER_SQLITE_SQLITE_DATABASE_H_

#include <pgqrs/config.h>

#include <functional>
#include <memory>
#include <string_view>

#include "driver/driver.h"
#include "driver/file/file_connection.h"

namespace pgqrs::driver {

// Reads `sqlite:…`. Throws ConfigError, which names the part that has no meaning.
FileOptions ParseSqliteDsn(const Config& config);

class SqliteDatabase final : public Database {
 public:
  explicit SqliteDatabase(const Config& config);

  std::string_view dialect() const override { return "sqlite"; }
  bool is_embedded() const override { return true; }
  bool is_private() const override { return options_.in_memory(); }
  std::unique_ptr<Connection> OpenWriter() override;
  bool can_read_beside() const override { return !options_.in_memory(); }
  std::unique_ptr<Connection> OpenReader() override;
  TimePoint ApproximateNow() const override { return options_.clock(); }
  std::unique_ptr<ChangeListener> Listen(
      std::function<void(const Announcement&)> on_change) override;

 private:
  std::unique_ptr<Connection> Open(FileConnection::Role role);

  FileOptions options_;
};

}  // namespace pgqrs::driver

#endif  // PGQRS_DRIVER_SQLITE_SQLITE_DATABASE_H_
