// A schema of its own on a Postgres server.
#ifndef PGQRS_BENCH_POSTGRES_PLACE_H_
#define PGQRS_BENCH_POSTGRES_PLACE_H_

#include "place.h"

namespace bench {

class PostgresPlace final : public Place {
 public:
  explicit PostgresPlace(const Options& options);
  ~PostgresPlace() override;

  void FillOneByOne(std::int64_t count) const override;
  void WriteArchive(std::int64_t count, int batch_size) const override;
  void Settle() const override;
};

}  // namespace bench

#endif  // PGQRS_BENCH_POSTGRES_PLACE_H_
