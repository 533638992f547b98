// What the user asked for.
#ifndef PGQRS_BENCH_OPTIONS_H_
#define PGQRS_BENCH_OPTIONS_H_

#include <algorithm>
#include <array>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "limits/limit.h"

namespace bench {

// Bits, so that several can be named together.
enum class Backend : std::uint8_t { kSqlite = 1, kPostgres = 2, kTurso = 4 };

#ifdef PGQRS_WITH_TURSO
inline constexpr std::array kBackends = {Backend::kSqlite, Backend::kPostgres, Backend::kTurso};
#else
inline constexpr std::array kBackends = {Backend::kSqlite, Backend::kPostgres};
#endif

constexpr Backend operator|(Backend a, Backend b) {
  return static_cast<Backend>(static_cast<std::uint8_t>(a) | static_cast<std::uint8_t>(b));
}
constexpr bool Contains(Backend some, Backend one) {
  return (static_cast<std::uint8_t>(some) & static_cast<std::uint8_t>(one)) != 0;
}
inline constexpr auto kEverywhere = Backend::kSqlite | Backend::kPostgres | Backend::kTurso;

constexpr std::string_view NameOf(Backend backend) {
  switch (backend) {
    case Backend::kPostgres:
      return "postgres";
    case Backend::kTurso:
      return "turso";
    default:
      return "sqlite";
  }
}

// The Postgres server's DSN, for this program and its children. A command line would show it.
inline constexpr const char* kDsnVariable = "PGQRS_BENCH_DSN";

struct Options {
  Backend backend = Backend::kSqlite;
  int rounds = 5;
  // Of the numbers of messages and of the durations.
  double scale = 1;
  // Of SQLite and Turso.
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
