// The SQLite C API with destructors and errors.
#ifndef PGQRS_DRIVER_SQLITE_SQLITE_HANDLE_H_
#define PGQRS_DRIVER_SQLITE_SQLITE_HANDLE_H_

#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "driver/driver.h"
#include "driver/file/open_file.h"

namespace pgqrs::driver {

struct CloseDatabase {
  void operator()(sqlite3* database) const { sqlite3_close_v2(database); }

  OpenFile file = {};  // Noted until it is closed.
};
using SqliteHandle = std::unique_ptr<sqlite3, CloseDatabase>;

struct FinalizeStatement {
  void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};
using SqliteStatement = std::unique_ptr<sqlite3_stmt, FinalizeStatement>;

enum class IfNoFile : std::uint8_t { kCreate, kFail };

// Opens a file. Throws PgqrsConnectionError, which says what is wrong with the path.
SqliteHandle OpenSqlite(const std::string& path, IfNoFile if_no_file);

// The failure that the connection reports for `code`, while doing `what`.
Failure SqliteFailure(sqlite3* database, int code, std::string_view what);

// Prepares one statement for many runs.
SqliteStatement PrepareSqlite(sqlite3* database, std::string_view sql, std::string_view what);

// Runs one or more statements and drops their rows.
void ExecuteSqlite(sqlite3* database, std::string_view sql, std::string_view what);

}  // namespace pgqrs::driver

#endif  // PGQRS_DRIVER_SQLITE_SQLITE_HANDLE_H_
