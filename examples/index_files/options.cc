#include "options.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>
#include <string>
#include <system_error>
#include <thread>

namespace index_files {
namespace {

namespace fs = std::filesystem;

constexpr int kMaxWorkers = 256;
constexpr int kUsageError = 2;

constexpr const char* kDescription =
    "Indexes every file below a directory: size, lines, words and SHA-256, into the table\n"
    "file_index of a SQLite database, through a queue in the same database. Stopped or killed at\n"
    "any moment and started again it continues where it was. A file that is in the index already\n"
    "is not read again, unless --fresh is given.";

constexpr const char* kFooter =
    "\nExit codes: 0 finished (files that cannot be read are listed), 1 failed, 2 wrong usage,\n"
    "130 or 143 stopped by a signal.";

// Below the user's cache directory, as the XDG Base Directory Specification has it.
fs::path DefaultDatabase() {
  const auto from_environment = [](const char* name) {
    const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): before any thread.
    return value == nullptr ? fs::path() : fs::path(value);
  };
  const fs::path cache = from_environment("XDG_CACHE_HOME");
  if (cache.is_absolute()) return cache / "pgqrs" / "index_files.db";
  const fs::path home = from_environment("HOME");
  if (home.is_absolute()) return home / ".cache" / "pgqrs" / "index_files.db";
  return "index_files.db";
}

fs::path ResolveDirectory(const fs::path& directory) {
  std::error_code error;
  fs::path resolved = fs::canonical(directory, error);
  if (!error && !fs::is_directory(resolved, error) && !error) {
    error = std::make_error_code(std::errc::not_a_directory);
  }
  if (error) {
    throw OptionsExit(kUsageError, "cannot index " + directory.string() + ": " + error.message());
  }
  return resolved;
}

fs::path ResolveDatabase(const fs::path& database) {
  std::error_code error;
  fs::path resolved = fs::weakly_canonical(fs::absolute(database), error);
  if (!error) fs::create_directories(resolved.parent_path(), error);
  if (!error && fs::is_directory(resolved)) error = std::make_error_code(std::errc::is_a_directory);
  if (error) {
    throw OptionsExit(kUsageError,
                      "cannot use the database file " + database.string() + ": " + error.message());
  }
  if (resolved.string().find('?') != std::string::npos) {
    throw OptionsExit(kUsageError,
                      "the path of the database file has a question mark, which begins "
                      "the parameters of a DSN: " +
                          resolved.string());
  }
  return resolved;
}

}  // namespace

Options ParseOptions(int argc, char** argv) {
  const unsigned cores = std::max(1U, std::thread::hardware_concurrency());
  std::string directory = "/usr/share/doc";
  std::string database = DefaultDatabase().string();
  Options options{.workers = static_cast<int>(std::min(cores, 64U))};

  CLI::App app(kDescription);
  app.footer(kFooter);
  app.option_defaults()->always_capture_default();
  app.add_option("--dir", directory, "The directory to index");
  app.add_option("--db", database, "The database file, made where it is missing");
  app.add_option("--workers", options.workers, "How many workers read files")
      ->check(CLI::Range(1, kMaxWorkers));
  app.add_option("--synchronous", options.synchronous,
                 "full: survives the loss of power; normal: faster, the last moments may be lost")
      ->check(CLI::IsMember({"full", "normal"}));
  app.add_flag("--fresh", options.fresh, "Forget what is in the index and start over");
  app.add_flag("--retry", options.retry_dead, "Try the files again that could not be read before");
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    throw OptionsExit(0, app.help());
  } catch (const CLI::ParseError& error) {
    throw OptionsExit(kUsageError, std::string(error.what()) + " (--help shows the options)");
  }
  options.directory = ResolveDirectory(directory);
  options.database = ResolveDatabase(database);
  return options;
}

}  // namespace index_files
