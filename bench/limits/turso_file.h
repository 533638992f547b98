// The same thin hold on Turso's C interface as sqlite_file.h on SQLite's.
#ifndef PGQRS_BENCH_LIMITS_TURSO_FILE_H_
#define PGQRS_BENCH_LIMITS_TURSO_FILE_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "limits/limit.h"

extern "C" {
#include <turso.h>
}

namespace limits {

// A prepared statement. Errors are std::runtime_error.
class TursoStatement {
 public:
  TursoStatement(const turso_connection_t* connection, std::string_view sql);

  // Parameters count from 1.
  template <typename... Values>
  TursoStatement& Bind(Values... values) {
    std::size_t index = 0;
    (BindOne(++index, values), ...);
    return *this;
  }

  // True while there is a row.
  bool Step();
  void Reset() { turso_statement_reset(statement_.get(), nullptr); }

  // Runs it to its end and makes it ready for the next time.
  void Run();

  // How many rows the last run has changed.
  std::int64_t changes() const { return changes_; }

  // Columns count from 0; a text lives until the next step.
  std::int64_t Int(int column) const {
    return turso_statement_row_value_int(statement_.get(), static_cast<std::size_t>(column));
  }
  std::string_view Text(int column) const;

 private:
  struct Free {
    void operator()(turso_statement_t* statement) const { turso_statement_deinit(statement); }
  };

  void BindOne(std::size_t index, std::int64_t value) {
    turso_statement_bind_positional_int(statement_.get(), index, value);
  }
  void BindOne(std::size_t index, std::string_view text) {
    turso_statement_bind_positional_text(statement_.get(), index, text.data(), text.size());
  }

  std::unique_ptr<turso_statement_t, Free> statement_;
  std::int64_t changes_ = 0;
};

// An open file in WAL mode, for one thread. Made where it is missing.
class TursoFile {
 public:
  using Statement = TursoStatement;

  TursoFile(const std::string& path, Durability durability);

  const turso_connection_t* handle() const { return connection_.get(); }

  // Runs a text of several statements.
  void Run(const std::string& sql);

  // The one number that a query gives; nothing where it gives no row.
  std::optional<std::int64_t> Number(std::string_view sql);

 private:
  struct CloseDatabase {
    void operator()(const turso_database_t* database) const { turso_database_deinit(database); }
  };
  struct CloseConnection {
    void operator()(turso_connection_t* connection) const {
      turso_connection_close(connection, nullptr);
      turso_connection_deinit(connection);
    }
  };

  std::unique_ptr<const turso_database_t, CloseDatabase> database_;
  std::unique_ptr<turso_connection_t, CloseConnection> connection_;
};

}  // namespace limits

#endif  // PGQRS_BENCH_LIMITS_TURSO_FILE_H_
