#include "driver/postgres/pooler.h"

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "driver/postgres/postgres_handle.h"

namespace pgqrs::driver {
namespace {

// The plans are those of an ordered walk over an index, whatever the statistics of a table that was
// empty a moment ago say; and no plan is worth compiling.
constexpr std::array<std::array<std::string_view, 2>, 7> kSettings = {
    {{"default_transaction_isolation", "read committed"},
     {"enable_seqscan", "off"},
     {"enable_bitmapscan", "off"},
     {"enable_hashjoin", "off"},
     {"enable_mergejoin", "off"},
     {"jit", "off"},
     {"plan_cache_mode", "force_generic_plan"}}};

// A commit is answered when it is durable, whatever the role or the database say; but a DSN may ask
// for less.
constexpr std::string_view kDurability =
    "pg_catalog.set_config('synchronous_commit', CASE "
    "WHEN pg_catalog.current_setting('synchronous_commit') <> 'off' OR 'client' = "
    "(SELECT source FROM pg_catalog.pg_settings WHERE name = 'synchronous_commit') "
    "THEN pg_catalog.current_setting('synchronous_commit') ELSE 'on' END, ";

// The statement, and a column more that tells whether the settings are local.
std::string Settings(const std::string& is_local) {
  std::string statement = "SELECT ";
  for (const auto& [name, value] : kSettings) {
    statement.append("pg_catalog.set_config('").append(name).append("', '").append(value);
    statement.append("', ").append(is_local).append("), ");
  }
  statement.append(kDurability).append(is_local).append("), ");
  return statement + is_local;
}

}  // namespace

// A pooler does not tell its clients the number of a server's process, which may be another one for
// the next transaction. Where the numbers differ the settings are gone with the statement.
bool SetUpSession(PGconn* connection) {
  const auto is_pooled =
      "pg_catalog.pg_backend_pid() <> " + std::to_string(PQbackendPID(connection));
  const PostgresResult result(PQexec(connection, Settings(is_pooled).c_str()));
  if (PQresultStatus(result.get()) != PGRES_TUPLES_OK) {
    throw PostgresFailure(connection, result.get(), "setting up a session");
  }
  return std::string_view(PQgetvalue(result.get(), 0, PQnfields(result.get()) - 1)) == "f";
}

const char* LocalSettings() {
  static const std::string statement = Settings("true");
  return statement.c_str();
}

const std::vector<std::string>& LocalSettingsWithoutSnapshot() {
  static const auto statements = [] {
    std::vector<std::string> made;
    made.reserve(kSettings.size());
    for (const auto& [name, value] : kSettings) {
      made.push_back("SET LOCAL " + std::string(name) + " = '" + std::string(value) + "'");
    }
    return made;
  }();
  return statements;
}

const std::vector<std::string>& LocalSettingsOfUser() {
  static const auto statements = [] {
    std::vector<std::string> made;
    for (const auto& [name, value] : kSettings) {
      if (name == "default_transaction_isolation") continue;
      made.push_back("SET LOCAL " + std::string(name) + " TO DEFAULT");
    }
    return made;
  }();
  return statements;
}

}  // namespace pgqrs::driver
