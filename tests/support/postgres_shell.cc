#include "support/postgres_shell.h"

#include <chrono>
#include <stdexcept>
#include <thread>

namespace pgqrs::testing {

PostgresShell::PostgresShell(const std::string& dsn)
    : connection_(PQconnectdb(dsn.c_str()), &PQfinish) {
  if (PQstatus(connection()) != CONNECTION_OK) {
    throw std::runtime_error(PQerrorMessage(connection()));
  }
}

PostgresShell::Result PostgresShell::Run(const std::string& sql) {
  Result result(PQexec(connection(), sql.c_str()), &PQclear);
  const auto status = PQresultStatus(result.get());
  if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK && status != PGRES_EMPTY_QUERY) {
    throw std::runtime_error(PQerrorMessage(connection()));
  }
  return result;
}

std::vector<std::vector<std::string>> PostgresShell::Query(const std::string& sql) {
  const auto result = Run(sql);
  std::vector<std::vector<std::string>> rows(PQntuples(result.get()));
  for (int i = 0; i < PQntuples(result.get()); ++i) {
    for (int j = 0; j < PQnfields(result.get()); ++j) {
      rows[i].emplace_back(PQgetisnull(result.get(), i, j) != 0 ? "NULL"
                                                                : PQgetvalue(result.get(), i, j));
    }
  }
  return rows;
}

void PostgresShell::AwaitTheEndOfSessions() {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (QueryInt("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
                  "AND backend_type = 'client backend' AND pid <> pg_backend_pid()") > 0) {
    if (std::chrono::steady_clock::now() > deadline) {
      throw std::runtime_error("sessions of the database do not end");
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

std::string PostgresShell::QueryText(const std::string& sql) { return Query(sql).at(0).at(0); }

}  // namespace pgqrs::testing
