#include "place.h"

#include "file_place.h"
#include "postgres_place.h"

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
