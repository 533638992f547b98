#include "driver/file/normal_sql.h"

#include <algorithm>

namespace pgqrs::driver {

std::string NormalSql(std::string_view sql) {
  std::string normal;
  for (std::size_t i = 0; i < sql.size(); ++i) {
    const char letter = sql[i];
    if (letter == '\'') {
      const auto end = std::min(sql.find('\'', i + 1), sql.size() - 1);
      normal += sql.substr(i, end + 1 - i);
      i = end;
    } else if (sql.substr(i).starts_with("--")) {
      i = std::min(sql.find('\n', i), sql.size());
    } else if (std::string_view(" \t\r\n\"").find(letter) == std::string_view::npos) {
      normal += letter;
    }
  }
  return normal;
}

}  // namespace pgqrs::driver
