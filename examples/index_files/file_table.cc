#include "file_table.h"

#include <sqlite3.h>

#include <chrono>
#include <thread>

namespace index_files {
namespace {

constexpr auto kBusyPause = std::chrono::microseconds(500);
constexpr int kBusyTries = 60'000;  // Half a minute.

// SQLite's own pauses grow to 100 ms, far longer than the queue's transactions last.
int WaitForLock(void* /*context*/, int tries) {
  if (tries >= kBusyTries) return 0;
  std::this_thread::sleep_for(kBusyPause);
  return 1;
}

}  // namespace

void FileTable::CloseDatabase::operator()(sqlite3* database) const { sqlite3_close(database); }

void FileTable::FinalizeStatement::operator()(sqlite3_stmt* statement) const {
  sqlite3_finalize(statement);
}

FileTable::FileTable(const std::string& database) {
  sqlite3* opened = nullptr;
  const int result = sqlite3_open_v2(database.c_str(), &opened, SQLITE_OPEN_READWRITE, nullptr);
  database_.reset(opened);
  Check(result == SQLITE_OK, "open");
  sqlite3_busy_handler(database_.get(), WaitForLock, nullptr);

  // NORMAL is enough here, and saves a sync a file: the row goes to the write-ahead log before the
  // ack of its message does, and the queue's sync for the ack carries both to the disk. Either the
  // two are there after a loss of power, or the message comes again.
  Execute("PRAGMA synchronous = NORMAL");
  Execute(
      "CREATE TABLE IF NOT EXISTS file_index ("
      " path TEXT NOT NULL PRIMARY KEY,"
      " size INTEGER NOT NULL,"
      " lines INTEGER NOT NULL,"
      " words INTEGER NOT NULL,"
      " sha256 TEXT NOT NULL"
      ") WITHOUT ROWID");
  put_ = Prepare(
      "INSERT INTO file_index (path, size, lines, words, sha256) VALUES (?1, ?2, ?3, ?4, ?5)"
      " ON CONFLICT (path) DO UPDATE SET size = excluded.size, lines = excluded.lines,"
      " words = excluded.words, sha256 = excluded.sha256");
}

void FileTable::Put(const std::string& encoded_path, const FileContent& content) {
  const std::lock_guard lock(mutex_);
  const auto bind_text = [this](int column, const std::string& text) {
    return sqlite3_bind_text(put_.get(), column, text.data(), static_cast<int>(text.size()),
                             SQLITE_STATIC) == SQLITE_OK;
  };
  const auto bind_number = [this](int column, std::int64_t number) {
    return sqlite3_bind_int64(put_.get(), column, number) == SQLITE_OK;
  };
  const bool bound = bind_text(1, encoded_path) && bind_number(2, content.size) &&
                     bind_number(3, content.lines) && bind_number(4, content.words) &&
                     bind_text(5, content.sha256);
  Check(bound, "write to");
  const bool done = sqlite3_step(put_.get()) == SQLITE_DONE;
  // The reset repeats the error of the step, so that the message of Check is the right one.
  sqlite3_reset(put_.get());
  Check(done, "write to");
}

Totals FileTable::Sum() {
  const std::lock_guard lock(mutex_);
  const Statement sum = Prepare(
      "SELECT count(*), coalesce(sum(size), 0), coalesce(sum(lines), 0), coalesce(sum(words), 0)"
      " FROM file_index");
  Check(sqlite3_step(sum.get()) == SQLITE_ROW, "read");
  return {.files = sqlite3_column_int64(sum.get(), 0),
          .bytes = sqlite3_column_int64(sum.get(), 1),
          .lines = sqlite3_column_int64(sum.get(), 2),
          .words = sqlite3_column_int64(sum.get(), 3)};
}

void FileTable::Clear() {
  const std::lock_guard lock(mutex_);
  Execute("DELETE FROM file_index");
}

FileTable::Statement FileTable::Prepare(const char* sql) {
  sqlite3_stmt* statement = nullptr;
  Check(sqlite3_prepare_v2(database_.get(), sql, -1, &statement, nullptr) == SQLITE_OK, "prepare");
  return Statement(statement);
}

void FileTable::Execute(const char* sql) {
  Check(sqlite3_exec(database_.get(), sql, nullptr, nullptr, nullptr) == SQLITE_OK, "set up");
}

void FileTable::Check(bool ok, const char* attempt) const {
  if (ok) return;
  throw TableError(std::string("cannot ") + attempt +
                   " the table file_index: " + sqlite3_errmsg(database_.get()));
}

}  // namespace index_files
