// A database in a file, in a folder of its own.
#ifndef PGQRS_BENCH_FILE_PLACE_H_
#define PGQRS_BENCH_FILE_PLACE_H_

#include "limits/limit_file.h"
#include "measure.h"
#include "place.h"

namespace bench {

// `File` is the interface by which it is written without pgqrs.
template <typename File>
class FilePlace final : public Place {
 public:
  explicit FilePlace(const Options& options);

  void FillOneByOne(std::int64_t count) const override;
  void WriteArchive(std::int64_t count, int batch_size) const override;

 private:
  ScratchFolder folder_;
};

}  // namespace bench

#endif  // PGQRS_BENCH_FILE_PLACE_H_
