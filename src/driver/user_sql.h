// Statements of the user's, which run in a transaction of ours.
#ifndef PGQRS_DRIVER_USER_SQL_H_
#define PGQRS_DRIVER_USER_SQL_H_

#include <cstddef>
#include <string_view>

namespace pgqrs::driver {

// Throws Failure (kStatement) where a statement would end the transaction, or change what a
// connection of ours needs: BEGIN, COMMIT, SAVEPOINT, PRAGMA, SET and the like. It looks at the
// first word alone; what a statement does inside of itself a database refuses by itself.
void CheckUserSql(std::string_view sql);

// The text behind white space and comments.
std::string_view SkipComments(std::string_view sql);

// Throws Failure (kStatement) where a statement is given another number of parameters than it
// takes.
void CheckParameterCount(std::size_t taken, std::size_t given);

}  // namespace pgqrs::driver

#endif  // PGQRS_DRIVER_USER_SQL_H_
