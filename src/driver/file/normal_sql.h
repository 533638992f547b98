#ifndef PGQRS_DRIVER_FILE_NORMAL_SQL_H_
#define PGQRS_DRIVER_FILE_NORMAL_SQL_H_

#include <string>
#include <string_view>

namespace pgqrs::driver {

// A definition without what SQLite and Turso keep differently of the same text: comments, white
// space, and quotes around names. What stands in single quotes stays. To be compared, not run.
std::string NormalSql(std::string_view sql);

}  // namespace pgqrs::driver

#endif  // PGQRS_DRIVER_FILE_NORMAL_SQL_H_
