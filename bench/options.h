// What the user asked for.
#ifndef PGQRS_BENCH_OPTIONS_H_
#define PGQRS_BENCH_OPTIONS_H_

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "limits/sqlite_file.h"

namespace bench {

enum class Backend : std::uint8_t { kSqlite, kPostgres };

constexpr std::string_view NameOf(Backend backend) {
  return backend == Backend::kSqlite ? "sqlite" : "postgres";
}

// The Postgres server's DSN, for this program and its children. A command line would show it.
inline constexpr const char* kDsnVariable = "PGQRS_BENCH_DSN";

struct Options {
  Backend backend = Backend::kSqlite;
  int rounds = 5;
  // Of the numbers of messages and of the durations.
  double scale = 1;
  // Of SQLite.
  std::string synchronous = "full";
  // The folder that everything is written below.
  std::filesystem::path folder;
  // Of the Postgres server.
  std::string dsn;
  // The longest archive of Postgres, and how long the steady state is watched, before scaling.
  std::int64_t archived = 10'000'000;
  int minutes = 10;

  bool is_postgres() const { return backend == Backend::kPostgres; }

  limits::Durability durability() const {
    return synchronous == "full" ? limits::Durability::kFull : limits::Durability::kNormal;
  }

  std::int64_t Scaled(std::int64_t number, std::int64_t least) const {
    return std::max(least, static_cast<std::int64_t>(static_cast<double>(number) * scale));
  }
};

}  // namespace bench

#endif  // PGQRS_BENCH_OPTIONS_H_
