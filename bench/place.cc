#include "place.h"

#include "file_place.h"
#include "limits/limit_postgres.h"
#include "measure.h"
#include "postgres_place.h"
#include "workload.h"

namespace bench {

pgqrs::PgqrsStore OpenStore(const Options& options, const std::string& database) {
  pgqrs::Config config;
  if (options.is_postgres()) {
    config.dsn = options.dsn;
    config.schema = database;
  } else {
    config.dsn = std::string(NameOf(options.backend)) + "://" +
                 std::filesystem::absolute(database).string() +
                 "?synchronous=" + options.synchronous;
  }
  return pgqrs::PgqrsStore::Connect(config);
}

std::unique_ptr<limits::Limit> OpenLimit(const Options& options, const std::string& database,
                                         int connections) {
  if (options.is_postgres()) {
    return std::make_unique<limits::PostgresLimit>(options.dsn, database, kQueueName, connections);
  }
  Expect(connections == 1, "the limit program of a file has one connection");
#ifdef PGQRS_WITH_TURSO
  if (options.backend == Backend::kTurso) {
    return std::make_unique<limits::FileLimit<limits::TursoFile>>(database, options.durability());
  }
#endif
  return std::make_unique<limits::FileLimit<limits::SqliteFile>>(database, options.durability());
}

std::unique_ptr<Place> NewPlace(const Options& options) {
  if (options.is_postgres()) return std::make_unique<PostgresPlace>(options);
#ifdef PGQRS_WITH_TURSO
  if (options.backend == Backend::kTurso) {
    return std::make_unique<FilePlace<limits::TursoFile>>(options);
  }
#endif
  return std::make_unique<FilePlace<limits::SqliteFile>>(options);
}

}  // namespace bench
