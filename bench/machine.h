// Where the figures come from.
#ifndef PGQRS_BENCH_MACHINE_H_
#define PGQRS_BENCH_MACHINE_H_

#include <filesystem>
#include <nlohmann/json.hpp>

namespace bench {

// True for a file system in memory, where a sync costs nothing and figures mean nothing.
bool IsInMemory(const std::filesystem::path& folder);

// Processor, memory, kernel, file system, and what a sync costs there.
nlohmann::json DescribeMachine(const std::filesystem::path& folder);

// The library, SQLite, the compiler.
nlohmann::json DescribeVersions();

}  // namespace bench

#endif  // PGQRS_BENCH_MACHINE_H_
