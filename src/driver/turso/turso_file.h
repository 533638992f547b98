#ifndef PGQRS_DRIVER_TURSO_TURSO_FILE_H_
#define PGQRS_DRIVER_TURSO_TURSO_FILE_H_

#include <cstdint>
#include <memory>

#include "driver/file/file_connection.h"
#include "driver/file/open_file.h"
#include "driver/turso/local_changes.h"
#include "driver/turso/turso_handle.h"

namespace pgqrs::driver {

// What a Turso DSN says.
struct TursoOptions : FileOptions {
  TursoKey key;
};

// An open database, which its sessions share.
class TursoFile {
 public:
  // Throws PgqrsConnectionError, which says what is wrong with the path.
  explicit TursoFile(const TursoOptions& options);

  const turso_database_t* database() const { return database_.get(); }
  const std::shared_ptr<LocalChanges>& changes() const { return changes_; }
  // Whether there is another file at this path by now, or none.
  bool HasMovedFrom(const std::string& path) const { return file_.HasMovedFrom(path); }

 private:
  // What stands first lives until the database is closed.
  std::shared_ptr<LocalChanges> changes_;
  OpenFile file_;
  TursoDatabaseHandle database_;
};

}  // namespace pgqrs::driver

#endif  // PGQRS_DRIVER_TURSO_TURSO_FILE_H_
