#include "driver/sqlite/sqlite_handle.h"

#include <pgqrs/error.h>

#include "driver/file/why_not_opened.h"
#include "driver/sqlite/own_locks.h"

namespace pgqrs::driver {
namespace {

Fault FaultOf(int code) {
  switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_PROTOCOL:  // Somebody stays in the middle of what takes no time otherwise.
      return Fault::kBusy;
    case SQLITE_FULL:
    case SQLITE_IOERR:
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
    case SQLITE_NOMEM:
      return Fault::kStorage;
    default:
      return Fault::kStatement;
  }
}

}  // namespace

SqliteHandle OpenSqlite(const std::string& path, IfNoFile if_no_file) {
  constexpr int kOldest = 3'040'000;
  if (sqlite3_libversion_number() < kOldest) {
    throw PgqrsConnectionError(std::string("pgqrs needs SQLite 3.40 or newer; this program runs ") +
                               sqlite3_libversion());
  }
#ifdef PGQRS_PRIVATE_SQLITE
  UseOwnLocks();
#endif
  OpenFile::CheckMayOpen(path, OpenFile::Engine::kSqlite);
  sqlite3* raw = nullptr;
  constexpr int kFlags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX;
  const int create = if_no_file == IfNoFile::kCreate ? SQLITE_OPEN_CREATE : 0;
  const int code = sqlite3_open_v2(path.c_str(), &raw, kFlags | create, nullptr);
  SqliteHandle handle(raw, CloseDatabase{.file = OpenFile(path, OpenFile::Engine::kSqlite)});
  if (code != SQLITE_OK) {
    throw PgqrsConnectionError("cannot open \"" + path + "\": " +
                               WhyNotOpened(path, raw ? sqlite3_errmsg(raw) : "out of memory"));
  }
  sqlite3_extended_result_codes(raw, 1);
  if (sqlite3_db_readonly(raw, "main") == 1) {
    throw PgqrsConnectionError("cannot open \"" + path + "\": the file is read-only");
  }
  return handle;
}

Failure SqliteFailure(sqlite3* database, int code, std::string_view what) {
  return {FaultOf(code), std::string(what) + ": " + sqlite3_errmsg(database) + " (SQLite code " +
                             std::to_string(code) + ")"};
}

SqliteStatement PrepareSqlite(sqlite3* database, std::string_view sql, std::string_view what) {
  sqlite3_stmt* raw = nullptr;
  const int code = sqlite3_prepare_v3(database, sql.data(), static_cast<int>(sql.size()),
                                      SQLITE_PREPARE_PERSISTENT, &raw, nullptr);
  SqliteStatement statement(raw);
  if (code != SQLITE_OK) throw SqliteFailure(database, code, what);
  return statement;
}

void ExecuteSqlite(sqlite3* database, std::string_view sql, std::string_view what) {
  const std::string text(sql);
  const int code = sqlite3_exec(database, text.c_str(), nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) throw SqliteFailure(database, code, what);
}

}  // namespace pgqrs::driver
