#include "driver/sqlite/sqlite_session.h"

#include <pgqrs/error.h>

#include <random>
#include <string>
#include <thread>
#include <vector>

#include "driver/user_sql.h"

namespace pgqrs::driver {
namespace {

class SqliteRow final : public Row {
 public:
  explicit SqliteRow(sqlite3_stmt* statement) : statement_(statement) {}

  bool IsNull(int column) const override {
    return sqlite3_column_type(statement_, column) == SQLITE_NULL;
  }
  std::int64_t Int(int column) const override { return sqlite3_column_int64(statement_, column); }
  std::string_view Text(int column) const override {
    const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
    if (text == nullptr) return {};
    return {text, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
  }

 private:
  sqlite3_stmt* statement_;
};

class SqliteFileStatement final : public FileStatement {
 public:
  SqliteFileStatement(sqlite3* database, std::string_view sql, std::string_view what)
      : database_(database),
        what_(what),
        statement_(PrepareSqlite(database, sql, what)),
        row_(statement_.get()) {}

  std::size_t parameter_count() const override {
    return static_cast<std::size_t>(sqlite3_bind_parameter_count(statement_.get()));
  }
  std::size_t column_count() const override {
    return static_cast<std::size_t>(sqlite3_column_count(statement_.get()));
  }
  void Bind(std::span<const Value> row) override;
  bool Step() override {
    const int code = sqlite3_step(statement_.get());
    if (code != SQLITE_ROW && code != SQLITE_DONE) throw SqliteFailure(database_, code, what_);
    return code == SQLITE_ROW;
  }
  const Row& row() const override { return row_; }
  void Reset() noexcept override { sqlite3_reset(statement_.get()); }

 private:
  sqlite3* const database_;
  const std::string what_;
  const SqliteStatement statement_;
  const SqliteRow row_;
};

void SqliteFileStatement::Bind(std::span<const Value> row) {
  for (int i = 0; i < static_cast<int>(row.size()); ++i) {
    const auto& value = row[static_cast<std::size_t>(i)];
    int code = SQLITE_OK;
    if (const auto* number = std::get_if<std::int64_t>(&value)) {
      code = sqlite3_bind_int64(statement_.get(), i + 1, *number);
    } else if (const auto* text = std::get_if<std::string_view>(&value)) {
      code =
          sqlite3_bind_text64(statement_.get(), i + 1, text->data() != nullptr ? text->data() : "",
                              text->size(), SQLITE_STATIC, SQLITE_UTF8);
    } else {
      code = sqlite3_bind_null(statement_.get(), i + 1);
    }
    if (code != SQLITE_OK) throw SqliteFailure(database_, code, what_);
  }
}

// Prepares a statement of the user's, which is to be the only one of the text.
SqliteStatement PrepareOnly(sqlite3* database, std::string_view sql) {
  sqlite3_stmt* raw = nullptr;
  const char* rest = nullptr;
  const int code =
      sqlite3_prepare_v2(database, sql.data(), static_cast<int>(sql.size()), &raw, &rest);
  SqliteStatement statement(raw);
  if (code != SQLITE_OK) throw SqliteFailure(database, code, kCallersStatement);
  if (!SkipComments(sql.substr(static_cast<std::size_t>(rest - sql.data()))).empty()) {
    throw Failure(Fault::kStatement, "sql: the text has more than one statement");
  }
  return statement;
}

int BindCell(sqlite3_stmt* statement, int index, const Cell& cell) {
  if (const auto* number = std::get_if<std::int64_t>(&cell)) {
    return sqlite3_bind_int64(statement, index, *number);
  }
  if (const auto* number = std::get_if<double>(&cell)) {
    return sqlite3_bind_double(statement, index, *number);
  }
  if (const auto* text = std::get_if<std::string_view>(&cell)) {
    return sqlite3_bind_text64(statement, index, text->data() != nullptr ? text->data() : "",
                               text->size(), SQLITE_STATIC, SQLITE_UTF8);
  }
  if (const auto* blob = std::get_if<Blob>(&cell)) {
    return sqlite3_bind_blob64(statement, index,
                               blob->bytes.data() != nullptr ? blob->bytes.data() : "",
                               blob->bytes.size(), SQLITE_STATIC);
  }
  return sqlite3_bind_null(statement, index);
}

Cell ReadCell(sqlite3_stmt* statement, int column) {
  switch (sqlite3_column_type(statement, column)) {
    case SQLITE_INTEGER:
      return std::int64_t{sqlite3_column_int64(statement, column)};
    case SQLITE_FLOAT:
      return sqlite3_column_double(statement, column);
    case SQLITE_TEXT:
      return SqliteRow(statement).Text(column);
    case SQLITE_BLOB: {
      const auto* bytes = static_cast<const char*>(sqlite3_column_blob(statement, column));
      if (bytes == nullptr) return Blob{};
      return Blob{{bytes, static_cast<std::size_t>(sqlite3_column_bytes(statement, column))}};
    }
    default:
      return std::monostate();
  }
}

// Runs the statement to its end and makes it ready for the next time.
int Finish(sqlite3_stmt* statement) {
  sqlite3_step(statement);
  return sqlite3_reset(statement);
}

}  // namespace

SqliteSession::SqliteSession(const FileOptions& options, FileConnection::Role role)
    : options_(options) {
  const bool writes = role == FileConnection::Role::kWriter;
  database_ = OpenSqlite(options_.path, writes ? IfNoFile::kCreate : IfNoFile::kFail);
  sqlite3_busy_handler(database_.get(), WaitWhileBusy, this);
  try {
    Configure(role);
  } catch (const Failure& failure) {
    throw PgqrsConnectionError("cannot open \"" + options_.path + "\": " + failure.what());
  }
}

void SqliteSession::Configure(FileConnection::Role role) {
  auto* database = database_.get();
  ExecuteSqlite(database,
                options_.synchronous_full ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL",
                "setting the durability");
  // 16 MiB of page cache: the hot set of a long queue stays in memory.
  ExecuteSqlite(database, "PRAGMA cache_size=-16384", "setting the cache size");
  const bool writes = role == FileConnection::Role::kWriter;
  begin_ = PrepareSqlite(database, writes ? "BEGIN IMMEDIATE" : "BEGIN", "BEGIN");
  commit_ = PrepareSqlite(database, "COMMIT", "COMMIT");
  if (writes) {
    data_version_.emplace(database);
  } else {
    ExecuteSqlite(database, "PRAGMA query_only=ON", "opening a reader");
  }
}

// Switches to WAL. SQLite does not call the busy handler while it changes the mode.
void SqliteSession::Adopt() {
  if (options_.in_memory()) return;
  const auto deadline = std::chrono::steady_clock::now() + options_.busy_timeout;
  for (;;) {
    try {
      ExecuteSqlite(database_.get(), "PRAGMA journal_mode=WAL", "switching to WAL");
      return;
    } catch (const Failure& failure) {
      if (failure.fault() != Fault::kBusy || std::chrono::steady_clock::now() >= deadline) throw;
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
  }
}

int SqliteSession::WaitWhileBusy(void* self, int attempt) {
  auto& session = *static_cast<SqliteSession*>(self);
  const auto now = std::chrono::steady_clock::now();
  if (attempt == 0) session.busy_since_ = now;
  if (now - session.busy_since_ >= session.options_.busy_timeout) return 0;
  // Short and random, so that no process keeps losing to another of the same rhythm.
  thread_local std::minstd_rand random(std::random_device{}());
  const int longest = attempt < 20 ? 300 : 3000;
  std::this_thread::sleep_for(
      std::chrono::microseconds(std::uniform_int_distribution<>(50, longest)(random)));
  return 1;
}

void SqliteSession::Begin() {
  const int code = Finish(begin_.get());
  if (code != SQLITE_OK) throw SqliteFailure(database_.get(), code, "beginning a transaction");
}

void SqliteSession::Commit() {
  const int code = Finish(commit_.get());
  if (code == SQLITE_OK) return;
  auto failure = SqliteFailure(database_.get(), code, "committing");
  // Whichever call of the system failed, the commit record may have reached the file before.
  if ((code & 0xff) == SQLITE_IOERR) throw Failure(Fault::kUnknown, failure.what());
  throw failure;
}

void SqliteSession::Rollback() noexcept {
  // Some errors end the transaction by themselves.
  if (sqlite3_get_autocommit(database_.get()) != 0) return;
  sqlite3_exec(database_.get(), "ROLLBACK", nullptr, nullptr, nullptr);
}

std::unique_ptr<FileStatement> SqliteSession::Prepare(std::string_view sql, std::string_view what) {
  return std::make_unique<SqliteFileStatement>(database_.get(), sql, what);
}

std::int64_t SqliteSession::Query(std::string_view sql, std::span<const Cell> parameters,
                                  const QuerySink& sink) {
  auto* database = database_.get();
  const auto statement = PrepareOnly(database, sql);
  auto* raw = statement.get();
  CheckParameterCount(static_cast<std::size_t>(sqlite3_bind_parameter_count(raw)),
                      parameters.size());
  for (int i = 0; i < static_cast<int>(parameters.size()); ++i) {
    const int code = BindCell(raw, i + 1, parameters[static_cast<std::size_t>(i)]);
    if (code != SQLITE_OK) throw SqliteFailure(database, code, kCallersStatement);
  }
  std::vector<std::string> names;
  for (int i = 0; i < sqlite3_column_count(raw); ++i) {
    const char* name = sqlite3_column_name(raw, i);
    names.emplace_back(name != nullptr ? name : "");
  }
  const auto changes_before = sqlite3_total_changes64(database);
  std::int64_t rows = 0;
  std::vector<Cell> cells(names.size());
  for (;;) {
    const int code = sqlite3_step(raw);
    if (code == SQLITE_DONE) break;
    if (code != SQLITE_ROW) throw SqliteFailure(database, code, kCallersStatement);
    ++rows;
    for (std::size_t i = 0; i < cells.size(); ++i) cells[i] = ReadCell(raw, static_cast<int>(i));
    sink({.names = names, .cells = cells});
  }
  if (sqlite3_get_autocommit(database) != 0) {
    throw Failure(Fault::kStatement, "the statement has ended the transaction");
  }
  if (sqlite3_stmt_readonly(raw) != 0) return rows;
  const bool has_changed = sqlite3_total_changes64(database) != changes_before;
  return has_changed ? sqlite3_changes64(database) : 0;
}

bool SqliteSession::HasMoved() {
  int has_moved = 0;
  sqlite3_file_control(database_.get(), "main", SQLITE_FCNTL_HAS_MOVED, &has_moved);
  return has_moved != 0;
}

std::unique_ptr<FileSession> SqliteSession::OpenEmpty() const {
  auto options = options_;
  options.path = ":memory:";
  return std::make_unique<SqliteSession>(options, FileConnection::Role::kWriter);
}

}  // namespace pgqrs::driver
