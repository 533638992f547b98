#ifndef PGQRS_API_TRANSACTION_CORE_H_
#define PGQRS_API_TRANSACTION_CORE_H_

#include <pgqrs/transaction.h>

#include <exception>
#include <span>
#include <string_view>

#include "driver/driver.h"

namespace pgqrs::internal {

// The statements of a body, on the connection of its transaction.
class TransactionCore {
 public:
  explicit TransactionCore(driver::Connection& connection)
      : connection_(connection), transaction_(*this) {}

  Transaction& transaction() { return transaction_; }

  std::int64_t Run(std::string_view sql, std::span<const SqlValue> parameters,
                   const driver::QuerySink& sink);

  // Throws again where a statement failed, even if the body has caught that.
  void CheckSound() const;

 private:
  driver::Connection& connection_;
  Transaction transaction_;
  std::exception_ptr failure_;
};

}  // namespace pgqrs::internal

#endif  // PGQRS_API_TRANSACTION_CORE_H_
