#include "limits/sqlite_file.h"

#include <stdexcept>

namespace limits {
namespace {

[[noreturn]] void Fail(sqlite3* database, std::string_view doing) {
  throw std::runtime_error(std::string(doing) + ": " + sqlite3_errmsg(database));
}

}  // namespace

Statement::Statement(sqlite3* database, std::string_view sql) {
  sqlite3_stmt* statement = nullptr;
  const int code = sqlite3_prepare_v3(database, sql.data(), static_cast<int>(sql.size()),
                                      SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
  statement_.reset(statement);
  if (code != SQLITE_OK) Fail(database, sql);
}

bool Statement::Step() {
  const int code = sqlite3_step(statement_.get());
  if (code == SQLITE_ROW) return true;
  if (code != SQLITE_DONE) {
    Fail(sqlite3_db_handle(statement_.get()), sqlite3_sql(statement_.get()));
  }
  return false;
}

std::string_view Statement::Text(int column) const {
  const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement_.get(), column));
  if (text == nullptr) return {};
  return {text, static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), column))};
}

SqliteFile::SqliteFile(const std::string& path, Durability durability) {
  sqlite3* database = nullptr;
  const int code =
      sqlite3_open_v2(path.c_str(), &database,
                      SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, nullptr);
  database_.reset(database);
  if (code != SQLITE_OK) Fail(database, "opening " + path);
  sqlite3_busy_timeout(database, 10'000);
  Run("PRAGMA journal_mode=WAL");
  Run(std::string("PRAGMA synchronous=") + Name(durability));
  Run("PRAGMA cache_size=-16384");  // As much as pgqrs gives itself.
}

void SqliteFile::Run(const std::string& sql) {
  if (sqlite3_exec(handle(), sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) {
    Fail(handle(), sql);
  }
}

std::optional<std::int64_t> SqliteFile::Number(std::string_view sql) {
  Statement statement(handle(), sql);
  if (!statement.Step()) return std::nullopt;
  return statement.Int(0);
}

}  // namespace limits
