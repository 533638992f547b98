// Turso as a backend: files in WAL mode, which are open in one process at a time, and private
// databases in memory.
#ifndef PGQRS_DRIVER_TURSO_TURSO_DATABASE_H_
#define PGQRS_DRIVER_TURSO_TURSO_DATABASE_H_

#include <pgqrs/config.h>

#include <functional>
#include <memory>
#include <string_view>

#include "driver/driver.h"
#include "driver/file/file_connection.h"
#include "driver/turso/turso_file.h"

namespace pgqrs::driver {

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
    changes_->Announce(this, announcement);
  }

 private:
  std::unique_ptr<Connection> Open(FileConnection::Role role);

  TursoOptions options_;
  // The connections keep the file open, so that it is closed with the last of them.
  std::weak_ptr<TursoFile> file_;
  std::shared_ptr<LocalChanges> changes_;  // From the first connection on.
};

}  // namespace pgqrs::driver

#endif  // PGQRS_DRIVER_TURSO_TURSO_DATABASE_H_
