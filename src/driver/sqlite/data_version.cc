#include "driver/sqlite/data_version.h"

#include <utility>

namespace pgqrs::driver {

DataVersion::DataVersion(sqlite3* database)
    : statement_(PrepareSqlite(database, "PRAGMA data_version", "PRAGMA data_version")) {
  HasChanged();
}

bool DataVersion::HasChanged() {
  std::int64_t version = version_ + 1;
  if (sqlite3_step(statement_.get()) == SQLITE_ROW) {
    version = sqlite3_column_int64(statement_.get(), 0);
  }
  sqlite3_reset(statement_.get());
  return std::exchange(version_, version) != version;
}

}  // namespace pgqrs::driver
