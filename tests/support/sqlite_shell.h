#ifndef PGQRS_TESTS_SUPPORT_SQLITE_SHELL_H_
#define PGQRS_TESTS_SUPPORT_SQLITE_SHELL_H_

#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace pgqrs::testing {

// Looks into a SQLite file, and changes it, as another program would.
class SqliteShell {
 public:
  explicit SqliteShell(const std::string& path);

  // Runs statements without parameters. Throws std::runtime_error with SQLite's own words.
  void Execute(std::string_view sql);

  // All rows of one query, as text; NULL is "NULL".
  std::vector<std::vector<std::string>> Query(std::string_view sql);

  // The one value of a query that gives one.
  std::int64_t QueryInt(std::string_view sql);

 private:
  struct Close {
    void operator()(sqlite3* database) const { sqlite3_close_v2(database); }
  };
  std::unique_ptr<sqlite3, Close> database_;
};

}  // namespace pgqrs::testing

#endif  // PGQRS_TESTS_SUPPORT_SQLITE_SHELL_H_
