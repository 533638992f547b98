#include "driver/sqlite/sqlite_connection.h"

#include <pgqrs/error.h>

#include <random>
#include <thread>
#include <utility>

#include "driver/file/normal_sql.h"
#include "driver/schema_objects.h"

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

// Runs the statement to its end and makes it ready for the next time.
int Finish(sqlite3_stmt* statement) {
  sqlite3_step(statement);
  return sqlite3_reset(statement);
}

SchemaObjects ReadSchema(sqlite3* database) {
  constexpr std::string_view kWhat = "reading the schema";
  SchemaObjects objects;
  const auto statement =
      PrepareSqlite(database, sql::Text("sqlite", sql::Statement::kDescribeSchema), kWhat);
  const SqliteRow row(statement.get());
  int code = SQLITE_ROW;
  while ((code = sqlite3_step(statement.get())) == SQLITE_ROW) {
    objects.emplace(row.Text(1), SchemaObject{.owner = std::string(row.Text(0)),
                                              .definition = NormalSql(row.Text(2))});
  }
  if (code != SQLITE_DONE) throw SqliteFailure(database, code, kWhat);
  return objects;
}

}  // namespace

SqliteConnection::SqliteConnection(const SqliteOptions& options, Role role) : options_(options) {
  database_ =
      OpenSqlite(options_.path, role == Role::kWriter ? IfNoFile::kCreate : IfNoFile::kFail);
  sqlite3_busy_handler(database_.get(), WaitWhileBusy, this);
  try {
    Configure(role);
  } catch (const Failure& failure) {
    throw PgqrsConnectionError("cannot open \"" + options_.path + "\": " + failure.what());
  }
}

void SqliteConnection::Configure(Role role) {
  auto* database = database_.get();
  ExecuteSqlite(database,
                options_.synchronous_full ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL",
                "setting the durability");
  // 16 MiB of page cache: the hot set of a long queue stays in memory.
  ExecuteSqlite(database, "PRAGMA cache_size=-16384", "setting the cache size");
  begin_ = PrepareSqlite(database, role == Role::kWriter ? "BEGIN IMMEDIATE" : "BEGIN", "BEGIN");
  commit_ = PrepareSqlite(database, "COMMIT", "COMMIT");
  if (role == Role::kReader) {
    ExecuteSqlite(database, "PRAGMA query_only=ON", "opening a reader");
  } else {
    data_version_.emplace(database);
  }
}

void SqliteConnection::Adopt() {
  if (options_.in_memory()) return;
  SwitchToWal();
  turn_.emplace(options_.path);
}

// SQLite does not call the busy handler while it changes the mode.
void SqliteConnection::SwitchToWal() {
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

int SqliteConnection::WaitWhileBusy(void* self, int attempt) {
  auto& connection = *static_cast<SqliteConnection*>(self);
  const auto now = std::chrono::steady_clock::now();
  if (attempt == 0) connection.busy_since_ = now;
  if (now - connection.busy_since_ >= connection.options_.busy_timeout) return 0;
  // Short and random, so that no process keeps losing to another of the same rhythm.
  thread_local std::minstd_rand random(std::random_device{}());
  const int longest = attempt < 20 ? 300 : 3000;
  std::this_thread::sleep_for(
      std::chrono::microseconds(std::uniform_int_distribution<>(50, longest)(random)));
  return 1;
}

void SqliteConnection::Begin() {
  if (turn_) turn_->Take(options_.busy_timeout);
  const int code = Finish(begin_.get());
  if (code != SQLITE_OK) {
    if (turn_) turn_->Give();
    throw SqliteFailure(database_.get(), code, "beginning a transaction");
  }
  // What is written to a file that is no longer there would be acknowledged and lost.
  int has_moved = 0;
  sqlite3_file_control(database_.get(), "main", SQLITE_FCNTL_HAS_MOVED, &has_moved);
  if (has_moved != 0) {
    Rollback();
    throw Failure(Fault::kStorage,
                  "\"" + options_.path + "\" was removed or replaced while the store had it open");
  }
}

void SqliteConnection::Commit() {
  const int code = Finish(commit_.get());
  if (code != SQLITE_OK) {
    const auto failure = SqliteFailure(database_.get(), code, "committing");
    // Whichever call of the system failed, the commit record may have reached the file before.
    if ((code & 0xff) == SQLITE_IOERR) throw Failure(Fault::kUnknown, failure.what());
    throw failure;
  }
  if (turn_) turn_->Give();
}

void SqliteConnection::Rollback() noexcept {
  // Some errors end the transaction by themselves.
  if (sqlite3_get_autocommit(database_.get()) == 0) {
    sqlite3_exec(database_.get(), "ROLLBACK", nullptr, nullptr, nullptr);
  }
  if (turn_) turn_->Give();
}

sqlite3_stmt* SqliteConnection::Prepared(sql::Statement statement) {
  auto& prepared = statements_[static_cast<std::size_t>(statement)];
  if (!prepared) {
    const auto& info = sql::Info(statement);
    prepared = PrepareSqlite(database_.get(), sql::Text("sqlite", statement), info.name);
    if (sqlite3_bind_parameter_count(prepared.get()) != static_cast<int>(info.parameters.size()) ||
        sqlite3_column_count(prepared.get()) != static_cast<int>(info.columns.size())) {
      throw std::logic_error("the catalogue does not fit statement " + std::string(info.name));
    }
  }
  return prepared.get();
}

void SqliteConnection::Bind(sqlite3_stmt* prepared, std::span<const Value> row,
                            sql::Statement statement) {
  for (int i = 0; i < static_cast<int>(row.size()); ++i) {
    const auto& value = row[static_cast<std::size_t>(i)];
    int code = SQLITE_OK;
    if (const auto* number = std::get_if<std::int64_t>(&value)) {
      code = sqlite3_bind_int64(prepared, i + 1, *number);
    } else if (const auto* text = std::get_if<std::string_view>(&value)) {
      code = sqlite3_bind_text64(prepared, i + 1, text->data() != nullptr ? text->data() : "",
                                 text->size(), SQLITE_STATIC, SQLITE_UTF8);
    } else {
      code = sqlite3_bind_null(prepared, i + 1);
    }
    if (code != SQLITE_OK) throw SqliteFailure(database_.get(), code, sql::Info(statement).name);
  }
}

bool SqliteConnection::StepThrough(sqlite3_stmt* prepared, const RowSink& sink,
                                   sql::Statement statement) {
  const SqliteRow row(prepared);
  int code = SQLITE_ROW;
  bool go_on = true;
  while (go_on && (code = sqlite3_step(prepared)) == SQLITE_ROW) go_on = sink(row);
  if (code != SQLITE_ROW && code != SQLITE_DONE) {
    auto failure = SqliteFailure(database_.get(), code, sql::Info(statement).name);
    sqlite3_reset(prepared);
    throw failure;
  }
  sqlite3_reset(prepared);
  return go_on;
}

void SqliteConnection::Run(sql::Statement statement, std::span<const Value> rows,
                           const RowSink& sink) {
  auto* prepared = Prepared(statement);
  const auto width = sql::Info(statement).parameters.size();
  if (width == 0) {
    StepThrough(prepared, sink, statement);
    return;
  }
  for (; !rows.empty(); rows = rows.subspan(width)) {
    Bind(prepared, rows.first(width), statement);
    if (!StepThrough(prepared, sink, statement)) break;
  }
}

void SqliteConnection::RunScript(std::string_view script) {
  ExecuteSqlite(database_.get(), script, "migrating the schema");
}

void SqliteConnection::PrepareAll() {
  for (std::size_t i = 0; i < sql::kCatalog.size(); ++i) {
    const auto statement = static_cast<sql::Statement>(i);
    if (statement == sql::Statement::kCreateViewTrigger) continue;  // A script, that comes last.
    if (!sql::Text("sqlite", statement).empty()) Prepared(statement);
  }
}

std::vector<std::string> SqliteConnection::CompareSchema() {
  const auto fresh = OpenSqlite(":memory:", IfNoFile::kCreate);
  ExecuteSqlite(fresh.get(), sql::Text("sqlite", sql::Statement::kCreateMigrations), "comparing");
  for (const auto& migration : sql::Migrations("sqlite")) {
    ExecuteSqlite(fresh.get(), migration.text, "comparing");
  }
  ExecuteSqlite(fresh.get(), sql::Text("sqlite", sql::Statement::kCreateViewTrigger), "comparing");
  return DifferencesOf(ReadSchema(fresh.get()), ReadSchema(database_.get()));
}

}  // namespace pgqrs::driver
