#include "driver/postgres/schema_compare.h"

#include <cstdint>
#include <random>
#include <utility>

#include "driver/postgres/postgres_handle.h"
#include "driver/schema_objects.h"
#include "sql/catalog.h"

namespace pgqrs::driver {
namespace {

// Of the same database, in a schema whose name nobody else has.
PostgresOptions Scratch(PostgresOptions options) {
  std::random_device random;
  const auto number = std::uint64_t{random()} << 32 | random();
  options.schema = "pgqrs_scratch_" + std::to_string(number);
  options.quoted_schema = '"' + options.schema + '"';
  return options;
}

// The definitions with the schema's name as it stands in the migrations, in each of its forms.
void TakeOutName(SchemaObjects& objects, const PostgresOptions& options) {
  for (const std::string placeholder :
       {"{schema_in_text}", "{schema}", "{schema_text}", "{channel}"}) {
    const auto name = WithSchema(placeholder, options);
    for (auto& [key, object] : objects) {
      auto& text = object.definition;
      for (auto at = text.find(name); at != std::string::npos; at = text.find(name, at)) {
        text.replace(at, name.size(), "{schema}");
        at += std::string_view("{schema}").size();
      }
    }
  }
}

PostgresResult Execute(PGconn* connection, const std::string& statements) {
  PostgresResult result(PQexec(connection, statements.c_str()));
  const auto status = PQresultStatus(result.get());
  if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
    throw PostgresFailure(connection, result.get(), "comparing the schema");
  }
  return result;
}

void Install(PGconn* connection, const PostgresOptions& options) {
  Execute(connection,
          WithSchema(sql::Text("postgres", sql::Statement::kCreateMigrations), options));
  for (const auto& migration : sql::Migrations("postgres")) {
    Execute(connection, WithSchema(migration.text, options));
  }
}

SchemaObjects Describe(PGconn* connection, const PostgresOptions& options) {
  // Definitions leave out the name of a schema that is on the search path.
  Execute(connection, WithSchema("SET LOCAL search_path = {schema}", options));
  const auto result = Execute(
      connection, WithSchema(sql::Text("postgres", sql::Statement::kDescribeSchema), options));
  SchemaObjects objects;
  for (int i = 0; i < PQntuples(result.get()); ++i) {
    objects.emplace(PQgetvalue(result.get(), i, 1),
                    SchemaObject{.owner = PQgetvalue(result.get(), i, 0),
                                 .definition = PQgetvalue(result.get(), i, 2)});
  }
  TakeOutName(objects, options);
  return objects;
}

}  // namespace

std::vector<std::string> CompareWithFreshSchema(const PostgresOptions& options) {
  const auto connection = OpenPostgres(options);
  const auto scratch = Scratch(options);
  // Closing the connection rolls back.
  Execute(connection.get(), "BEGIN");
  try {
    Install(connection.get(), scratch);
  } catch (const Failure& failure) {
    throw Failure(failure.fault(),
                  std::string("the schema is compared with a fresh one, which takes the right to "
                              "create a schema in the database: ") +
                      failure.what());
  }
  const auto expected = Describe(connection.get(), scratch);
  return DifferencesOf(expected, Describe(connection.get(), options));
}

}  // namespace pgqrs::driver
