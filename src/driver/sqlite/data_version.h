#ifndef PGQRS_DRIVER_SQLITE_DATA_VERSION_H_
#define PGQRS_DRIVER_SQLITE_DATA_VERSION_H_

#include <sqlite3.h>

#include <cstdint>

#include "driver/sqlite/sqlite_handle.h"

namespace pgqrs::driver {

// Tells when other connections have committed something, by `PRAGMA data_version`. A look costs
// some microseconds and takes no lock that others wait for.
class DataVersion {
 public:
  // The connection must outlive this object.
  explicit DataVersion(sqlite3* database);

  // Whether another connection has committed since the last call; yes, if in doubt.
  bool HasChanged();

 private:
  SqliteStatement statement_;
  std::int64_t version_ = 0;
};

}  // namespace pgqrs::driver

#endif  // PGQRS_DRIVER_SQLITE_DATA_VERSION_H_
