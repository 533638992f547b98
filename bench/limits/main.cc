// Prints what SQLite allows on this disk, without pgqrs: messages a second, by batch size.
#include <sqlite3.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <string>

#include "limits/limit_file.h"

namespace {

struct Options {
  std::filesystem::path directory = ".";
  std::int64_t count = 200'000;
  std::string synchronous = "full";
};

double Seconds(std::chrono::steady_clock::time_point since) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - since).count();
}

void MeasureBatchSize(const Options& options, int batch_size, const std::string& payload) {
  const auto durability =
      options.synchronous == "full" ? limits::Durability::kFull : limits::Durability::kNormal;
  for (const int want : {1, 50, 1000}) {
    const auto folder = options.directory / "limit-sqlite-data";
    std::filesystem::remove_all(folder);
    std::filesystem::create_directory(folder);
    // One at a time is a matter of single transactions; a few are enough.
    const auto count = want == 1 ? options.count / 50 : options.count;
    double enqueue = 0;
    double drain = 0;
    {
      limits::SqliteLimit limit(folder / "queue.db", durability);
      auto start = std::chrono::steady_clock::now();
      limit.Enqueue(count, batch_size, payload);
      enqueue = static_cast<double>(count) / Seconds(start);
      start = std::chrono::steady_clock::now();
      const auto drained = limit.Drain(want);
      drain = static_cast<double>(drained) / Seconds(start);
      limit.Verify(0, count);
    }
    std::filesystem::remove_all(folder);
    std::printf("batches of %2d: enqueue in bulk %9.0f/s, drain %4d at a time %9.0f/s\n",
                batch_size, enqueue, want, drain);
    std::fflush(stdout);
  }
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("What SQLite itself allows with the tables of pgqrs, on this disk.");
  Options options;
  app.add_option("--dir", options.directory, "where to put the database")
      ->check(CLI::ExistingDirectory)
      ->capture_default_str();
  app.add_option("--count", options.count, "messages")
      ->check(CLI::Range(100, 100'000'000))
      ->capture_default_str();
  app.add_option("--synchronous", options.synchronous, "durability")
      ->check(CLI::IsMember({"full", "normal"}))
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  try {
    const std::string payload = R"({"text":")" + std::string(89, 'x') + R"("})";
    std::printf("SQLite %s, synchronous=%s\n", sqlite3_libversion(), options.synchronous.c_str());
    for (const int batch_size : {1, 8, 64}) MeasureBatchSize(options, batch_size, payload);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "limit_sqlite: %s\n", error.what());
    return 1;
  }
  return 0;
}
