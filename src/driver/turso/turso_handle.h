// Turso's C interface with destructors and errors.
#ifndef PGQRS_DRIVER_TURSO_TURSO_HANDLE_H_
#define PGQRS_DRIVER_TURSO_TURSO_HANDLE_H_

#include <memory>
#include <string>
#include <string_view>

#include "driver/driver.h"

extern "C" {
#include <turso.h>
}

namespace pgqrs::driver {

struct CloseTursoDatabase {
  void operator()(const turso_database_t* database) const { turso_database_deinit(database); }
};
using TursoDatabaseHandle = std::unique_ptr<const turso_database_t, CloseTursoDatabase>;

struct CloseTursoConnection {
  void operator()(turso_connection_t* connection) const {
    turso_connection_close(connection, nullptr);
    turso_connection_deinit(connection);
  }
};
using TursoConnectionHandle = std::unique_ptr<turso_connection_t, CloseTursoConnection>;

struct FreeTursoStatement {
  void operator()(turso_statement_t* statement) const { turso_statement_deinit(statement); }
};
using TursoStatement = std::unique_ptr<turso_statement_t, FreeTursoStatement>;

// What a call of the interface left in its last parameter: the reason of a failure.
class TursoReason {
 public:
  TursoReason() = default;
  TursoReason(const TursoReason&) = delete;
  TursoReason& operator=(const TursoReason&) = delete;
  ~TursoReason() {
    if (text_ != nullptr) turso_str_deinit(text_);
  }
  const char** out() { return &text_; }
  std::string_view text() const { return text_ != nullptr ? text_ : "no reason was given"; }

 private:
  const char* text_ = nullptr;
};

// By which a file is encrypted; empty where it is not.
struct TursoKey {
  std::string cipher;
  std::string hexkey;

  bool operator==(const TursoKey&) const = default;
};

// Opens a file, or a private database in memory. Throws Failure, which says what is wrong with the
// path; kBusy where another process has the file open.
TursoDatabaseHandle OpenTurso(const std::string& path, const TursoKey& key);

TursoConnectionHandle ConnectTurso(const turso_database_t* database);

// The failure that the interface reports by `code`, while doing `what`.
Failure TursoFailure(turso_status_code_t code, const TursoReason& reason, std::string_view what);

// Whether a failure of TursoFailure's is that of a write for want of space. Not that of a sync,
// after which the data may be there, nor that of a copy of the log into the database, which comes
// after a commit.
bool IsOfFullDisk(const Failure& failure);

// Prepares one statement for many runs.
TursoStatement PrepareTurso(const turso_connection_t* connection, std::string_view sql,
                            std::string_view what);

// Runs one or more statements and drops their rows.
void ExecuteTurso(const turso_connection_t* connection, std::string_view sql,
                  std::string_view what);

// Steps to the next row. Answers false behind the last one.
bool StepTurso(const turso_statement_t* statement, std::string_view what);

// The row at which a statement is.
class TursoRow final : public Row {
 public:
  explicit TursoRow(const turso_statement_t* statement) : statement_(statement) {}

  bool IsNull(int column) const override {
    return turso_statement_row_value_kind(statement_, Index(column)) == TURSO_TYPE_NULL;
  }
  std::int64_t Int(int column) const override {
    return turso_statement_row_value_int(statement_, Index(column));
  }
  std::string_view Text(int column) const override {
    const auto* text = turso_statement_row_value_bytes_ptr(statement_, Index(column));
    const auto length = turso_statement_row_value_bytes_count(statement_, Index(column));
    if (text == nullptr || length <= 0) return {};
    return {text, static_cast<std::size_t>(length)};
  }

 private:
  static std::size_t Index(int column) { return static_cast<std::size_t>(column); }

  const turso_statement_t* statement_;
};

}  // namespace pgqrs::driver

#endif  // PGQRS_DRIVER_TURSO_TURSO_HANDLE_H_
