// Values of statements of the user's, as they travel to the server and back: as texts, whose types
// the server infers, but for bytes.
#ifndef PGQRS_DRIVER_POSTGRES_QUERY_VALUES_H_
#define PGQRS_DRIVER_POSTGRES_QUERY_VALUES_H_

#include <libpq-fe.h>

#include <list>
#include <span>
#include <string>
#include <vector>

#include "driver/driver.h"

namespace pgqrs::driver {

// Parameters as libpq wants them. What they come from has to live as long.
class QueryParameters {
 public:
  explicit QueryParameters(std::span<const Cell> cells);

  const Oid* types() const { return types_.data(); }
  const char* const* values() const { return values_.data(); }
  const int* lengths() const { return lengths_.data(); }
  const int* formats() const { return formats_.data(); }

 private:
  void Add(const char* value, std::size_t length, bool is_binary);
  void AddText(std::string text);

  std::list<std::string> texts_;
  std::vector<Oid> types_;
  std::vector<const char*> values_;
  std::vector<int> lengths_;
  std::vector<int> formats_;
};

// Gives the rows of a result to the sink, and answers how many were changed, or given.
std::int64_t DeliverQuery(const PGresult* result, const QuerySink& sink);

}  // namespace pgqrs::driver

#endif  // PGQRS_DRIVER_POSTGRES_QUERY_VALUES_H_
