// Parameters of statements that work on sets.
#ifndef PGQRS_QUEUE_COLUMNS_H_
#define PGQRS_QUEUE_COLUMNS_H_

#include <array>
#include <cstddef>
#include <span>
#include <variant>
#include <vector>

#include "driver/driver.h"

namespace pgqrs::queue {

// The columns of a set, to be filled row by row.
template <std::size_t n>
class Columns {
 public:
  void Add(const std::array<driver::Scalar, n>& row) {
    for (std::size_t i = 0; i < n; ++i) columns_[i].push_back(row[i]);
  }

  // They live as long as this object does, and no row is added.
  std::vector<driver::Value> Values() const {
    std::vector<driver::Value> values;
    values.reserve(n + 1);  // What is not a column may follow.
    for (const auto& column : columns_) {
      values.emplace_back(std::span<const driver::Scalar>(column));
    }
    return values;
  }

 private:
  std::array<std::vector<driver::Scalar>, n> columns_;
};

inline driver::Value AsValue(const driver::Scalar& scalar) {
  return std::visit([](const auto& value) { return driver::Value(value); }, scalar);
}

}  // namespace pgqrs::queue

#endif  // PGQRS_QUEUE_COLUMNS_H_
