// The result: the table `file_index`, in the same database file as the queue.
//
//   path    TEXT PRIMARY KEY   absolute, encoded (see task.h)
//   size    INTEGER            bytes
//   lines   INTEGER
//   words   INTEGER
//   sha256  TEXT               hexadecimal
#ifndef INDEX_FILES_FILE_TABLE_H_
#define INDEX_FILES_FILE_TABLE_H_

#include <cstdint>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>

#include "file_reader.h"

struct sqlite3;
struct sqlite3_stmt;

namespace index_files {

// The table could not be read or written. The text holds the database's own words.
class TableError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

struct Totals {
  std::int64_t files = 0;
  std::int64_t bytes = 0;
  std::int64_t lines = 0;
  std::int64_t words = 0;
};

// Every call works from any thread.
class FileTable {
 public:
  // Opens the database, which exists already, and creates the table where it is missing.
  explicit FileTable(const std::string& database);

  // Stores what is in a file. Storing the same path again replaces the row, so a file that is read
  // twice, because a message was handed out twice, is in the table once.
  void Put(const std::string& encoded_path, const FileContent& content);

  Totals Sum();

  void Clear();

 private:
  struct CloseDatabase {
    void operator()(sqlite3* database) const;
  };
  struct FinalizeStatement {
    void operator()(sqlite3_stmt* statement) const;
  };
  using Statement = std::unique_ptr<sqlite3_stmt, FinalizeStatement>;

  Statement Prepare(const char* sql);
  void Execute(const char* sql);
  void Check(bool ok, const char* attempt) const;

  std::mutex mutex_;  // Guards the connection: a transaction at a time.
  std::unique_ptr<sqlite3, CloseDatabase> database_;
  Statement put_;
};

}  // namespace index_files

#endif  // INDEX_FILES_FILE_TABLE_H_
