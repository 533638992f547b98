// What the user asked for.
#ifndef PGQRS_BENCH_OPTIONS_H_
#define PGQRS_BENCH_OPTIONS_H_

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <string>

#include "limits/sqlite_file.h"

namespace bench {

struct Options {
  int rounds = 5;
  // Of the numbers of messages and of the durations.
  double scale = 1;
  std::string synchronous = "full";
  // The folder that everything is written below.
  std::filesystem::path folder;

  limits::Durability durability() const {
    return synchronous == "full" ? limits::Durability::kFull : limits::Durability::kNormal;
  }

  std::int64_t Scaled(std::int64_t number, std::int64_t least) const {
    return std::max(least, static_cast<std::int64_t>(static_cast<double>(number) * scale));
  }
};

}  // namespace bench

#endif  // PGQRS_BENCH_OPTIONS_H_
