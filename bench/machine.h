// Where the figures come from.
#ifndef PGQRS_BENCH_MACHINE_H_
#define PGQRS_BENCH_MACHINE_H_

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

namespace bench {

// True for a file system in memory, where a sync costs nothing and figures mean nothing.
bool IsInMemory(const std::filesystem::path& folder);

// Processor, memory, kernel, file system, and what a sync costs there.
nlohmann::json DescribeMachine(const std::filesystem::path& folder);

// The library, the databases (the server's version is empty where none is used), the compiler.
nlohmann::json DescribeVersions(const std::string& postgres);

}  // namespace bench

#endif  // PGQRS_BENCH_MACHINE_H_
