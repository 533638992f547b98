#include "place.h"

#include "postgres_place.h"
#include "sqlite_place.h"

namespace bench {

pgqrs::PgqrsStore OpenStore(const Options& options, const std::string& database) {
  pgqrs::Config config;
  if (options.is_postgres()) {
    config.dsn = options.dsn;
    config.schema = database;
  } else {
    config.dsn = "sqlite://" + std::filesystem::absolute(database).string() +
                 "?synchronous=" + options.synchronous;
  }
  return pgqrs::PgqrsStore::Connect(config);
}

std::unique_ptr<Place> NewPlace(const Options& options) {
  if (options.is_postgres()) return std::make_unique<PostgresPlace>(options);
  return std::make_unique<SqlitePlace>(options);
}

}  // namespace bench
