#ifndef PGQRS_DRIVER_TURSO_TURSO_FILE_H_
#define PGQRS_DRIVER_TURSO_TURSO_FILE_H_

#include <memory>
#include <optional>
#include <string>

#include "driver/file/file_connection.h"
#include "driver/file/open_file.h"
#include "driver/turso/local_changes.h"
#include "driver/turso/turso_handle.h"
#include "driver/turso/turso_lock.h"

namespace pgqrs::driver {

// What a Turso DSN says.
struct TursoOptions : FileOptions {
  TursoKey key;
};

// An open database. All stores of the process that have one file open share it: the lock by which
// the engine keeps other processes out is one of POSIX, which the process loses as soon as it
// closes any descriptor of the file, so the file is opened once and closed once.
class TursoFile {
 public:
  // The database that another store has opened already, or a new one. Where another process has it
  // open, waits up to `busy_timeout`. Throws PgqrsConnectionError, which says why it cannot be
  // opened.
  static std::shared_ptr<TursoFile> Open(const TursoOptions& options);

  TursoFile(const TursoFile&) = delete;
  TursoFile& operator=(const TursoFile&) = delete;
  // Copies the log into the file, so that the file alone has everything.
  ~TursoFile();

  const turso_database_t* database() const { return database_.get(); }
  const std::shared_ptr<LocalChanges>& changes() const { return changes_; }
  // Whether there is another file at its path by now, or none, or another log beside it.
  bool HasMoved() const { return file_.HasMoved() || log_.HasMoved(); }

 private:
  class Registry;

  explicit TursoFile(const TursoOptions& options);

  const TursoOptions options_;
  const std::shared_ptr<LocalChanges> changes_ = std::make_shared<LocalChanges>();
  OpenFile file_;  // Noted until the database is closed.
  OpenFile log_;
  std::optional<TursoLock> lock_;
  TursoDatabaseHandle database_;
};

}  // namespace pgqrs::driver

#endif  // PGQRS_DRIVER_TURSO_TURSO_FILE_H_
