#include "support/sqlite_shell.h"

#include <stdexcept>

namespace pgqrs::testing {

SqliteShell::SqliteShell(const std::string& path) {
  sqlite3* opened = nullptr;
  const int code = sqlite3_open(path.c_str(), &opened);
  database_.reset(opened);
  if (code != SQLITE_OK) throw std::runtime_error("cannot open " + path);
  sqlite3_busy_timeout(opened, 30'000);
}

void SqliteShell::Execute(std::string_view sql) {
  if (sqlite3_exec(database_.get(), std::string(sql).c_str(), nullptr, nullptr, nullptr) !=
      SQLITE_OK) {
    throw std::runtime_error(sqlite3_errmsg(database_.get()));
  }
}

std::vector<std::vector<std::string>> SqliteShell::Query(std::string_view sql) {
  sqlite3_stmt* raw = nullptr;
  if (sqlite3_prepare_v2(database_.get(), sql.data(), static_cast<int>(sql.size()), &raw,
                         nullptr) != SQLITE_OK) {
    throw std::runtime_error(sqlite3_errmsg(database_.get()));
  }
  const std::unique_ptr<sqlite3_stmt, decltype(&sqlite3_finalize)> statement(raw,
                                                                             &sqlite3_finalize);
  std::vector<std::vector<std::string>> rows;
  int code = SQLITE_ROW;
  while ((code = sqlite3_step(raw)) == SQLITE_ROW) {
    auto& row = rows.emplace_back();
    for (int i = 0; i < sqlite3_column_count(raw); ++i) {
      const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(raw, i));
      row.push_back(text == nullptr ? "NULL" : std::string(text, sqlite3_column_bytes(raw, i)));
    }
  }
  if (code != SQLITE_DONE) throw std::runtime_error(sqlite3_errmsg(database_.get()));
  return rows;
}

std::int64_t SqliteShell::QueryInt(std::string_view sql) {
  return std::stoll(Query(sql).at(0).at(0));
}

}  // namespace pgqrs::testing
