// A transaction of the program's own, in which a step of a workflow is recorded too.
#ifndef PGQRS_TRANSACTION_H_
#define PGQRS_TRANSACTION_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace pgqrs {

using Blob = std::vector<std::byte>;

// A value as a parameter of a statement, or in a row: NULL, an integer, a floating point number,
// text, or bytes. What a database has beyond that comes as its text.
using SqlValue = std::variant<std::monostate, std::int64_t, double, std::string, Blob>;

using SqlRow = std::vector<SqlValue>;

namespace internal {
class TransactionCore;
}  // namespace internal

// What RunContext::TransactionStep hands to its body, and valid during that alone. Used by one
// thread at a time.
//
// Statements are of the database that the store is in, with `?` or `?1` as parameters on SQLite and
// Turso, and `$1` on Postgres, where a parameter has the type that the statement asks for. What
// begins, ends or marks a transaction is refused. A statement that fails throws InternalError with
// the database's words, and after it the whole step fails, also where the body catches that.
class Transaction {
 public:
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;

  // Runs one statement, and gives how many rows it has inserted, updated or deleted.
  std::int64_t Execute(std::string_view sql, std::span<const SqlValue> parameters);
  std::int64_t Execute(std::string_view sql, std::initializer_list<SqlValue> parameters = {}) {
    return Execute(sql, std::span(parameters.begin(), parameters.size()));
  }

  // Runs one statement and gives its rows.
  std::vector<SqlRow> Query(std::string_view sql, std::span<const SqlValue> parameters);
  std::vector<SqlRow> Query(std::string_view sql, std::initializer_list<SqlValue> parameters = {}) {
    return Query(sql, std::span(parameters.begin(), parameters.size()));
  }

 private:
  friend class internal::TransactionCore;
  explicit Transaction(internal::TransactionCore& core) : core_(core) {}

  internal::TransactionCore& core_;
};

}  // namespace pgqrs

#endif  // PGQRS_TRANSACTION_H_
