#ifndef PGQRS_DRIVER_POSTGRES_SCHEMA_COMPARE_H_
#define PGQRS_DRIVER_POSTGRES_SCHEMA_COMPARE_H_

#include <string>
#include <vector>

#include "driver/postgres/postgres_dsn.h"

namespace pgqrs::driver {

// Installs the schema a second time, under another name and in a transaction that is rolled back,
// and gives a line for each difference of the one in use: tables with their columns and storage
// parameters, constraints, indexes, views, functions, triggers, sequences. Partitions are no
// differences, whenever they were made. It opens a connection of its own for that. Where the role
// may not make a schema, one line says so.
std::vector<std::string> CompareWithFreshSchema(const PostgresOptions& options);

}  // namespace pgqrs::driver

#endif  // PGQRS_DRIVER_POSTGRES_SCHEMA_COMPARE_H_
