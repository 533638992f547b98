#include "driver/turso/turso_session.h"

#include <pgqrs/error.h>

#include <algorithm>
#include <chrono>
#include <exception>
#include <string>
#include <utility>
#include <vector>

#include "driver/user_sql.h"

namespace pgqrs::driver {
namespace {

class TursoFileStatement final : public FileStatement {
 public:
  TursoFileStatement(const turso_connection_t* connection, std::string_view sql,
                     std::string_view what)
      : what_(what), statement_(PrepareTurso(connection, sql, what)), row_(statement_.get()) {}

  std::size_t parameter_count() const override {
    return static_cast<std::size_t>(turso_statement_parameters_count(statement_.get()));
  }
  std::size_t column_count() const override {
    return static_cast<std::size_t>(turso_statement_column_count(statement_.get()));
  }
  void Bind(std::span<const Value> row) override;
  bool Step() override { return StepTurso(statement_.get(), what_); }
  const Row& row() const override { return row_; }
  void Reset() noexcept override { turso_statement_reset(statement_.get(), nullptr); }

 private:
  const std::string what_;
  const TursoStatement statement_;
  const TursoRow row_;
};

void TursoFileStatement::Bind(std::span<const Value> row) {
  auto* statement = statement_.get();
  for (std::size_t i = 0; i < row.size(); ++i) {
    const auto& value = row[i];
    auto code = TURSO_OK;
    if (const auto* number = std::get_if<std::int64_t>(&value)) {
      code = turso_statement_bind_positional_int(statement, i + 1, *number);
    } else if (const auto* text = std::get_if<std::string_view>(&value)) {
      code = turso_statement_bind_positional_text(
          statement, i + 1, text->data() != nullptr ? text->data() : "", text->size());
    } else {
      code = turso_statement_bind_positional_null(statement, i + 1);
    }
    if (code != TURSO_OK) throw TursoFailure(code, {}, what_);
  }
}

// Prepares a statement of the user's, which is to be the only one of the text.
TursoStatement PrepareOnly(const turso_connection_t* connection, std::string_view sql) {
  const std::string text(sql);
  TursoReason reason;
  turso_statement_t* raw = nullptr;
  std::size_t length = 0;
  const auto code =
      turso_connection_prepare_first(connection, text.c_str(), &raw, &length, reason.out());
  if (code != TURSO_OK) throw TursoFailure(code, reason, kCallersStatement);
  TursoStatement statement(raw);
  if (!statement || !SkipComments(sql.substr(std::min(length, sql.size()))).empty()) {
    throw Failure(Fault::kStatement, "sql: the text is to have one statement");
  }
  return statement;
}

turso_status_code_t BindCell(turso_statement_t* statement, std::size_t position, const Cell& cell) {
  const auto not_null = [](const char* bytes) { return bytes != nullptr ? bytes : ""; };
  if (const auto* number = std::get_if<std::int64_t>(&cell)) {
    return turso_statement_bind_positional_int(statement, position, *number);
  }
  if (const auto* number = std::get_if<double>(&cell)) {
    return turso_statement_bind_positional_double(statement, position, *number);
  }
  if (const auto* text = std::get_if<std::string_view>(&cell)) {
    return turso_statement_bind_positional_text(statement, position, not_null(text->data()),
                                                text->size());
  }
  if (const auto* blob = std::get_if<Blob>(&cell)) {
    return turso_statement_bind_positional_blob(statement, position, not_null(blob->bytes.data()),
                                                blob->bytes.size());
  }
  return turso_statement_bind_positional_null(statement, position);
}

Cell ReadCell(const turso_statement_t* statement, std::size_t column) {
  const auto bytes = [&] { return TursoRow(statement).Text(static_cast<int>(column)); };
  switch (turso_statement_row_value_kind(statement, column)) {
    case TURSO_TYPE_INTEGER:
      return std::int64_t{turso_statement_row_value_int(statement, column)};
    case TURSO_TYPE_REAL:
      return turso_statement_row_value_double(statement, column);
    case TURSO_TYPE_TEXT:
      return bytes();
    case TURSO_TYPE_BLOB:
      return Blob{bytes()};
    default:
      return std::monostate();
  }
}

// Runs the statement to its end and makes it ready for the next time.
void Finish(const turso_statement_t* statement, std::string_view what) {
  try {
    while (StepTurso(statement, what)) {
    }
  } catch (const Failure&) {
    turso_statement_reset(statement, nullptr);
    throw;
  }
  turso_statement_reset(statement, nullptr);
}

}  // namespace

TursoSession::TursoSession(const TursoOptions& options, std::shared_ptr<TursoFile> file,
                           FileConnection::Role role)
    : busy_timeout_(options.busy_timeout), file_(std::move(file)), role_(role) {
  try {
    connection_ = ConnectTurso(file_->database());
    // Seldom needed, since writers take turns, and so no matter that it sleeps for milliseconds.
    turso_connection_set_busy_timeout_ms(connection_.get(),
                                         busy_timeout_ / std::chrono::milliseconds(1));
    ExecuteTurso(connection_.get(),
                 options.synchronous_full ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL",
                 "setting the durability");
    const bool writes = role_ == FileConnection::Role::kWriter;
    if (!writes) ExecuteTurso(connection_.get(), "PRAGMA query_only=1", "opening a reader");
    begin_ = PrepareTurso(connection_.get(), writes ? "BEGIN IMMEDIATE" : "BEGIN", "BEGIN");
    commit_ = PrepareTurso(connection_.get(), "COMMIT", "COMMIT");
  } catch (const Failure& failure) {
    throw PgqrsConnectionError("cannot open \"" + options.path + "\": " + failure.what());
  }
}

void TursoSession::Begin() { Finish(begin_.get(), "beginning a transaction"); }

void TursoSession::Commit() {
  try {
    Finish(commit_.get(), "committing");
  } catch (const Failure& failure) {
    // Whichever call of the system failed, the commit record may have reached the file before; but
    // for a write to the WAL that had no room, which is that of the record or of what has to stand
    // before it.
    if (failure.fault() == Fault::kStorage && !IsOfFullDisk(failure)) {
      file_->changes()->NoteCommit();
      throw Failure(Fault::kUnknown, failure.what());
    }
    throw;
  }
  if (role_ == FileConnection::Role::kWriter) {
    ++own_commits_;
    file_->changes()->NoteCommit();
  }
}

void TursoSession::Rollback() noexcept {
  // Some errors end the transaction by themselves.
  if (turso_connection_get_autocommit(connection_.get())) return;
  try {
    ExecuteTurso(connection_.get(), "ROLLBACK", "rolling back");
  } catch (const std::exception&) {
    // The next transaction cannot begin then, and says so.
  }
}

bool TursoSession::SeesForeignCommits() {
  const auto foreign = file_->changes()->commits() - own_commits_;
  return std::exchange(foreign_commits_, foreign) != foreign;
}

std::unique_ptr<FileStatement> TursoSession::Prepare(std::string_view sql, std::string_view what) {
  return std::make_unique<TursoFileStatement>(connection_.get(), sql, what);
}

std::int64_t TursoSession::Query(std::string_view sql, std::span<const Cell> parameters,
                                 const QuerySink& sink) {
  const auto statement = PrepareOnly(connection_.get(), sql);
  auto* raw = statement.get();
  CheckParameterCount(static_cast<std::size_t>(turso_statement_parameters_count(raw)),
                      parameters.size());
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const auto code = BindCell(raw, i + 1, parameters[i]);
    if (code != TURSO_OK) throw TursoFailure(code, {}, kCallersStatement);
  }
  std::vector<std::string> names;
  for (std::int64_t i = 0; i < turso_statement_column_count(raw); ++i) {
    const char* name = turso_statement_column_name(raw, static_cast<std::size_t>(i));
    names.emplace_back(name != nullptr ? name : "");
    if (name != nullptr) turso_str_deinit(name);
  }
  std::int64_t rows = 0;
  std::vector<Cell> cells(names.size());
  while (StepTurso(raw, kCallersStatement)) {
    ++rows;
    for (std::size_t i = 0; i < cells.size(); ++i) cells[i] = ReadCell(raw, i);
    sink({.names = names, .cells = cells});
  }
  if (turso_connection_get_autocommit(connection_.get())) {
    throw Failure(Fault::kStatement, "the statement has ended the transaction");
  }
  const auto changed = turso_statement_n_change(raw);
  return changed != 0 ? changed : rows;
}

std::unique_ptr<FileSession> TursoSession::OpenEmpty() const {
  TursoOptions options;
  options.path = ":memory:";
  options.busy_timeout = busy_timeout_;
  return std::make_unique<TursoSession>(options, TursoFile::Open(options),
                                        FileConnection::Role::kWriter);
}

}  // namespace pgqrs::driver
