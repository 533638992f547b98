#include "conformance/conformance_test.h"

#include <ostream>

#include "support/postgres_server.h"

namespace pgqrs::testing {

void PrintTo(const Backend& backend, std::ostream* out) { *out << backend.name; }

const std::vector<Backend>& Backends() {
  static const std::vector<Backend> backends = {
      {.name = "SqliteFile",
       .is_shared = true,
       .keeps_text = true,
       .new_dsn = [](const TempFolder& folder) { return "sqlite://" + folder.File("queue.db"); }},
      {.name = "Postgres",
       .is_shared = true,
       .keeps_text = false,
       .new_dsn = [](const TempFolder&) { return SharedPostgres().NewDatabase(); }},
      {.name = "SqliteMemory",
       .is_shared = false,
       .keeps_text = true,
       .new_dsn = [](const TempFolder&) { return std::string("sqlite::memory:"); }},
#ifdef PGQRS_WITH_TURSO
      {.name = "Turso",
       .is_shared = true,
       .keeps_text = true,
       .new_dsn = [](const TempFolder& folder) { return "turso://" + folder.File("queue.db"); }},
#endif
  };
  return backends;
}

ConformanceTest::ConformanceTest() : config_(GetParam().new_dsn(folder_)) {
  config_.clock = clock_.AsClock();
}

}  // namespace pgqrs::testing
