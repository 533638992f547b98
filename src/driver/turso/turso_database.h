// Turso as a backend: files in WAL mode, which are open in one process at a time, and private
// databases in memory.
#ifndef PGQRS_DRIVER_TURSO_TURSO_DATABASE_H_
#define PGQRS_DRIVER_TURSO_TURSO_DATABASE_H_

#include <pgqrs/config.h>

#include <functional>
#include <memory>
#include <string_view>

#include "driver/driver.h"
#include "driver/file/open_file.h"
#include "driver/turso/local_changes.h"
#include "driver/turso/turso_handle.h"

namespace pgqrs::driver {

// What a Turso DSN says.
struct TursoOptions {
  TursoSettings settings;
  bool synchronous_full = true;
  JournalMode journal_mode = JournalMode::kWal;
  Duration busy_timeout;
  Clock clock;

  bool in_memory() const { return settings.path == ":memory:"; }
};

// An open database, which its connections share.
struct OpenTursoFile {
  // What stands first lives until the database is closed.
  std::shared_ptr<LocalChanges> changes;
  OpenFile file;
  TursoDatabaseHandle database;
};

// Reads `turso:…`. Throws ConfigError, which names the part that has no meaning, and shows no key.
TursoOptions ParseTursoDsn(const Config& config);

class TursoDatabase final : public Database {
 public:
  explicit TursoDatabase(const Config& config);

  std::string_view dialect() const override { return "turso"; }
  bool is_embedded() const override { return true; }
  bool is_private() const override { return options_.in_memory(); }
  std::unique_ptr<Connection> OpenWriter() override;
  bool can_read_beside() const override { return !options_.in_memory(); }
  std::unique_ptr<Connection> OpenReader() override;
  TimePoint ApproximateNow() const override { return options_.clock(); }
  std::unique_ptr<ChangeListener> Listen(
      std::function<void(const Announcement&)> on_change) override;
  void Announce(const Announcement& announcement) override {
    open_->changes->Announce(this, announcement);
  }

 private:
  TursoOptions options_;
  std::shared_ptr<OpenTursoFile> open_;  // From the first connection on.
};

}  // namespace pgqrs::driver

#endif  // PGQRS_DRIVER_TURSO_TURSO_DATABASE_H_
