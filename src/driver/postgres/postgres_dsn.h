#ifndef PGQRS_DRIVER_POSTGRES_POSTGRES_DSN_H_
#define PGQRS_DRIVER_POSTGRES_POSTGRES_DSN_H_

#include <pgqrs/config.h>

#include <string>
#include <utility>
#include <vector>

namespace pgqrs::driver {

// How the server is reached, and what is used there.
struct PostgresOptions {
  using Words = std::vector<std::pair<std::string, std::string>>;

  // libpq's keywords and values, the defaults of ours included. The later of two of a keyword
  // counts.
  Words parameters;
  // The same, to come before these: what follows from how long a store waits, for connections that
  // are its own.
  Words timeouts;
  std::string schema;         // As it is.
  std::string quoted_schema;  // As an SQL identifier.
  Duration timeout;
  Clock clock;  // None: the server's.
};

// Whether the DSN is one for Postgres: a URL or keywords with values, as libpq takes them.
bool IsPostgresDsn(std::string_view dsn);

// Reads the DSN. Throws ConfigError, which shows no value of it: there may be a password in it.
PostgresOptions ParsePostgresDsn(const Config& config);

// The text with these replaced: {schema} by the quoted name, {schema_text} by the name as a string,
// {schema_in_text} by the quoted name for the inside of a string, {channel} by the channel of its
// announcements.
std::string WithSchema(std::string_view text, const PostgresOptions& options);

}  // namespace pgqrs::driver

#endif  // PGQRS_DRIVER_POSTGRES_POSTGRES_DSN_H_
