#include "driver/user_sql.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <string>

#include "driver/driver.h"

namespace pgqrs::driver {
namespace {

constexpr auto kRefused = std::to_array<std::string_view>(
    {"ABORT",    "ATTACH",    "BEGIN",   "CLOSE",  "COMMIT",   "COPY",    "DEALLOCATE",
     "DECLARE",  "DETACH",    "DISCARD", "END",    "EXECUTE",  "FETCH",   "LISTEN",
     "LOAD",     "MOVE",      "NOTIFY",  "PRAGMA", "PREPARE",  "RELEASE", "RESET",
     "ROLLBACK", "SAVEPOINT", "SET",     "START",  "UNLISTEN", "VACUUM"});

std::string FirstWord(std::string_view sql) {
  std::string word;
  for (const char letter : sql) {
    if (std::isalpha(static_cast<unsigned char>(letter)) == 0) break;
    word += static_cast<char>(std::toupper(static_cast<unsigned char>(letter)));
  }
  return word;
}

}  // namespace

std::string_view SkipComments(std::string_view sql) {
  for (;;) {
    const auto begin = sql.find_first_not_of(" \t\r\n\f\v;");
    if (begin == std::string_view::npos) return {};
    sql.remove_prefix(begin);
    std::size_t end = 0;
    if (sql.starts_with("--")) {
      end = sql.find('\n');
    } else if (sql.starts_with("/*")) {
      end = sql.find("*/", 2);
      if (end != std::string_view::npos) ++end;
    } else {
      return sql;
    }
    if (end == std::string_view::npos) return {};
    sql.remove_prefix(end + 1);
  }
}

void CheckUserSql(std::string_view sql) {
  if (sql.find('\0') != std::string_view::npos) {
    throw Failure(Fault::kStatement, "sql: the text has a NUL");
  }
  const auto text = SkipComments(sql);
  if (text.empty()) throw Failure(Fault::kStatement, "sql: the text has no statement");
  const auto word = FirstWord(text);
  if (std::find(kRefused.begin(), kRefused.end(), word) != kRefused.end()) {
    throw Failure(Fault::kStatement, "sql: " + word +
                                         " cannot be used here: the transaction, and the session "
                                         "in which it runs, belong to the step");
  }
}

void CheckParameterCount(std::size_t taken, std::size_t given) {
  if (taken == given) return;
  throw Failure(Fault::kStatement, "parameters: the statement takes " + std::to_string(taken) +
                                       ", and was given " + std::to_string(given));
}

}  // namespace pgqrs::driver
