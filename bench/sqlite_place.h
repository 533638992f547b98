// A SQLite database in a folder of its own.
#ifndef PGQRS_BENCH_SQLITE_PLACE_H_
#define PGQRS_BENCH_SQLITE_PLACE_H_

#include "measure.h"
#include "place.h"

namespace bench {

class SqlitePlace final : public Place {
 public:
  explicit SqlitePlace(const Options& options);

  std::unique_ptr<limits::Limit> OpenLimit(int connections) const override;
  void FillOneByOne(std::int64_t count) const override;
  void WriteArchive(std::int64_t count, int batch_size) const override;

 private:
  ScratchFolder folder_;
};

}  // namespace bench

#endif  // PGQRS_BENCH_SQLITE_PLACE_H_
