// Where one side of a comparison works.
#ifndef PGQRS_BENCH_PLACE_H_
#define PGQRS_BENCH_PLACE_H_

#include <pgqrs/pgqrs.h>

#include <cstdint>
#include <memory>
#include <string>

#include "limits/limit.h"
#include "options.h"

namespace bench {

// Opens the database of a place: the path of a file, or the name of a schema.
pgqrs::PgqrsStore OpenStore(const Options& options, const std::string& database);

// The limit program on the database of a place; on Postgres the tables are there already.
std::unique_ptr<limits::Limit> OpenLimit(const Options& options, const std::string& database,
                                         int connections = 1);

// A database of its own, empty at first and removed with all that is in it: a file in a new folder,
// or a new schema of the server.
class Place {
 public:
  explicit Place(Options options) : options_(std::move(options)) {}
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;
  virtual ~Place() = default;

  const Options& options() const { return options_; }
  const std::string& database() const { return database_; }
  pgqrs::PgqrsStore Open() const { return OpenStore(options_, database_); }

  // The limit program on this database; it is pgqrs's or the limit program's, not both's.
  std::unique_ptr<limits::Limit> OpenLimit(int connections = 1) const {
    return bench::OpenLimit(options_, database_, connections);
  }

  // Enqueues messages that are each a batch of its own, as from lone calls of Enqueue, without a
  // disk sync for each. The queue kQueueName must exist.
  virtual void FillOneByOne(std::int64_t count) const = 0;

  // Writes finished messages straight into the tables of a database that nobody has open.
  virtual void WriteArchive(std::int64_t count, int batch_size) const = 0;

  // Finishes what the server still has to do for what was written, so that it is not done during
  // a measurement.
  virtual void Settle() const {}

 protected:
  void set_database(std::string database) { database_ = std::move(database); }

 private:
  Options options_;
  std::string database_;
};

std::unique_ptr<Place> NewPlace(const Options& options);

}  // namespace bench

#endif  // PGQRS_BENCH_PLACE_H_
