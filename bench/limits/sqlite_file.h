// A thin hold on the SQLite C API: who closes what, and errors that are not overlooked.
#ifndef PGQRS_BENCH_LIMITS_SQLITE_FILE_H_
#define PGQRS_BENCH_LIMITS_SQLITE_FILE_H_

#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "limits/limit.h"

namespace limits {

// A prepared statement. Errors are std::runtime_error.
class Statement {
 public:
  Statement(sqlite3* database, std::string_view sql);

  // Parameters count from 1. A text must live until the statement has run.
  template <typename... Values>
  Statement& Bind(Values... values) {
    int index = 0;
    (BindOne(++index, values), ...);
    return *this;
  }

  // True while there is a row.
  bool Step();
  void Reset() { sqlite3_reset(statement_.get()); }

  // Runs it to its end and makes it ready for the next time.
  void Run() {
    while (Step()) {
    }
    Reset();
  }

  // How many rows the last run has changed.
  std::int64_t changes() const { return sqlite3_changes(sqlite3_db_handle(statement_.get())); }

  // Columns count from 0; a text lives until the next step.
  std::int64_t Int(int column) const { return sqlite3_column_int64(statement_.get(), column); }
  std::string_view Text(int column) const;

 private:
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
  };

  void BindOne(int index, std::int64_t value) {
    sqlite3_bind_int64(statement_.get(), index, value);
  }
  void BindOne(int index, std::string_view text) {
    sqlite3_bind_text(statement_.get(), index, text.data(), static_cast<int>(text.size()),
                      SQLITE_STATIC);
  }

  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

// An open file in WAL mode, for one thread. Made where it is missing.
class SqliteFile {
 public:
  using Statement = limits::Statement;

  SqliteFile(const std::string& path, Durability durability);

  sqlite3* handle() const { return database_.get(); }

  // Runs a text of several statements.
  void Run(const std::string& sql);

  // The one number that a query gives; nothing where it gives no row.
  std::optional<std::int64_t> Number(std::string_view sql);

 private:
  struct Close {
    void operator()(sqlite3* database) const { sqlite3_close(database); }
  };

  std::unique_ptr<sqlite3, Close> database_;
};

}  // namespace limits

#endif  // PGQRS_BENCH_LIMITS_SQLITE_FILE_H_
