#include "api/transaction_core.h"

#include <pgqrs/error.h>

#include <cstring>
#include <string>
#include <type_traits>
#include <variant>
#include <vector>

#include "engine/public_error.h"

namespace pgqrs {
namespace internal {
namespace {

using driver::Cell;

Cell AsCell(const SqlValue& value) {
  return std::visit(
      [](const auto& content) -> Cell {
        using T = std::decay_t<decltype(content)>;
        if constexpr (std::is_same_v<T, std::string>) {
          return std::string_view(content);
        } else if constexpr (std::is_same_v<T, Blob>) {
          return driver::Blob{
              std::string_view(reinterpret_cast<const char*>(content.data()), content.size())};
        } else {
          return content;
        }
      },
      value);
}

SqlValue AsValue(const Cell& cell) {
  return std::visit(
      [](const auto& content) -> SqlValue {
        using T = std::decay_t<decltype(content)>;
        if constexpr (std::is_same_v<T, std::string_view>) {
          return std::string(content);
        } else if constexpr (std::is_same_v<T, driver::Blob>) {
          Blob blob(content.bytes.size());
          if (!blob.empty()) std::memcpy(blob.data(), content.bytes.data(), blob.size());
          return blob;
        } else {
          return content;
        }
      },
      cell);
}

}  // namespace

std::int64_t TransactionCore::Run(std::string_view sql, std::span<const SqlValue> parameters,
                                  const driver::QuerySink& sink) {
  CheckSound();
  std::vector<Cell> cells;
  cells.reserve(parameters.size());
  for (const auto& parameter : parameters) cells.push_back(AsCell(parameter));
  try {
    return connection_.Query(sql, cells, sink);
  } catch (const driver::Failure& failure) {
    failure_ = std::current_exception();
    // What may pass goes to whoever runs the transaction, which is then run again.
    if (failure.fault() == driver::Fault::kStatement) {
      failure_ = engine::MakePublicError(failure_);
    }
    std::rethrow_exception(failure_);
  }
}

void TransactionCore::CheckSound() const {
  if (failure_) std::rethrow_exception(failure_);
}

}  // namespace internal

std::int64_t Transaction::Execute(std::string_view sql, std::span<const SqlValue> parameters) {
  return core_.Run(sql, parameters, [](const driver::QueryRow&) {});
}

std::vector<SqlRow> Transaction::Query(std::string_view sql, std::span<const SqlValue> parameters) {
  std::vector<SqlRow> rows;
  core_.Run(sql, parameters, [&](const driver::QueryRow& row) {
    auto& copy = rows.emplace_back();
    for (const auto& cell : row.cells) copy.push_back(internal::AsValue(cell));
  });
  return rows;
}

}  // namespace pgqrs
