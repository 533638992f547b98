// index_files: indexes every file below a directory, through a queue.
//
// A scan puts one message for each file on a queue. Workers take the messages, read the files and
// store size, line and word counts and a SHA-256 in the table file_index of the same database.
//
//   index_files --dir /usr/share/doc --db index.db
//   sqlite3 index.db 'SELECT size, path FROM file_index ORDER BY size DESC LIMIT 10'
//
// The parts: scanner (fills the queue), indexer (workers that empty it), file_reader, file_table
// (the result), task (what a message says), progress, options, and this file, which ties them
// together.

#include <pgqrs/pgqrs.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <iomanip>
#include <iostream>
#include <optional>
#include <string>
#include <vector>

#include "file_table.h"
#include "indexer.h"
#include "lock_file.h"
#include "options.h"
#include "progress.h"
#include "scanner.h"
#include "task.h"

namespace index_files {
namespace {

constexpr const char* kQueueName = "index_files";
constexpr std::chrono::nanoseconds kShortestPause = std::chrono::milliseconds(50);
constexpr std::chrono::nanoseconds kLongestPause = std::chrono::milliseconds(900);

// SIGINT and SIGTERM, taken by calls instead of a handler. To be made before any thread, so that
// every thread inherits the mask.
class StopSignals {
 public:
  StopSignals() {
    sigemptyset(&signals_);
    sigaddset(&signals_, SIGINT);
    sigaddset(&signals_, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
  }

  // Waits for a signal, less than a second, and gives its number.
  std::optional<int> WaitFor(std::chrono::nanoseconds time) const {
    const timespec timeout{.tv_sec = 0, .tv_nsec = time.count()};
    const int signal = sigtimedwait(&signals_, nullptr, &timeout);
    return signal > 0 ? std::optional(signal) : std::nullopt;
  }

 private:
  sigset_t signals_{};
};

pgqrs::Config StoreConfig(const Options& options) {
  pgqrs::Config config("sqlite://" + options.database.string() +
                       "?synchronous=" + options.synchronous);
  // A message that was under way when the process was killed counts as read. That is not the file's
  // fault, so many such reads are allowed. Errors of a file itself end by the workers' retry
  // policy.
  config.max_read_ct = 1000;
  config.log = [](const pgqrs::LogRecord& record) {
    if (record.level >= pgqrs::LogLevel::kWarning) {
      std::cerr << "index_files: " << std::string(record.message) + "\n";
    }
  };
  return config;
}

// The files of the database, which change while they are read.
std::vector<std::filesystem::path> OwnFiles(const std::filesystem::path& database) {
  std::vector<std::filesystem::path> files;
  for (const char* suffix : {"", "-wal", "-shm", "-journal", "-turn", ".lock"}) {
    files.emplace_back(database.string() + suffix);
  }
  return files;
}

// Runs until the index is complete, or a signal comes, whose number it gives.
std::optional<int> RunToEnd(Indexer& indexer, pgqrs::Queue& queue, const StopSignals& signals,
                            Progress& progress) {
  for (;;) {
    indexer.CheckHealth();
    const auto begin = std::chrono::steady_clock::now();
    // Asked in this order: when the scan has finished nothing is added any more.
    const bool scan_finished = indexer.ScanFinished();
    const pgqrs::QueueMetrics now = queue.Metrics();
    const std::int64_t done = now.archived + now.dead;
    const std::int64_t total = done + now.waiting + now.delayed + now.leased;
    progress.Show(done, total, scan_finished);
    if (scan_finished && done == total) return std::nullopt;
    // Counting takes the longer the more there is; it must not take the time of the work.
    const std::chrono::nanoseconds counting = std::chrono::steady_clock::now() - begin;
    const auto pause = std::clamp(20 * counting, kShortestPause, kLongestPause);
    if (const auto signal = signals.WaitFor(pause)) return signal;
  }
}

void ListDeadLetters(pgqrs::Queue& queue) {
  pgqrs::Page page{.after_id = 0, .limit = 1000};
  for (auto letters = queue.ListDeadLetters(page); !letters.empty();
       letters = queue.ListDeadLetters(page)) {
    for (const pgqrs::MessageInfo& letter : letters) {
      page.after_id = letter.id;
      std::cout << "  " << TaskFromJson(letter.payload).path << ": " << letter.reason << "\n";
    }
  }
}

void PrintSummary(const Options& options, pgqrs::Queue& queue, const Totals& before,
                  const Totals& after, double seconds) {
  const std::int64_t new_files = after.files - before.files;
  const std::int64_t dead = queue.Metrics().dead;
  const auto line = [](const char* name, std::int64_t number) {
    std::cout << "  " << std::left << std::setw(14) << name << std::right << std::setw(18)
              << WithCommas(number) << "\n";
  };
  std::cout << "The index of " << EncodePath(options.directory.native()) << " is complete: table "
            << "file_index in " << EncodePath(options.database.native()) << "\n";
  line("files", after.files);
  line("  in this run", new_files);
  line("bytes", after.bytes);
  line("lines", after.lines);
  line("words", after.words);
  line("dead letters", dead);
  std::cout << std::fixed << std::setprecision(1) << "  this run took " << seconds << " s, "
            << WithCommas(static_cast<std::int64_t>(static_cast<double>(new_files) / seconds))
            << " files/s\n";
  if (dead > 0) {
    std::cout << "Not readable, and so in the dead letters (--retry tries again):\n";
    ListDeadLetters(queue);
  }
}

int Run(const Options& options) {
  const StopSignals signals;
  const LockFile lock(options.database.string() + ".lock");
  auto store = pgqrs::PgqrsStore::Connect(StoreConfig(options));
  // Whoever holds messages now was killed, since we have the lock. There is no need to wait until
  // its leases end.
  store.Admin().PurgeStaleWorkers(std::chrono::milliseconds(1));

  FileTable table(options.database.string());
  if (options.fresh) {
    // The queue first. Were it the table, a kill in between would leave finished messages without
    // their rows; this way it leaves rows without messages, which are written anew.
    store.Queue(kQueueName);
    store.DeleteQueue(kQueueName, /*force=*/true);
    table.Clear();
  }
  pgqrs::Queue queue = store.Queue(kQueueName);
  if (options.retry_dead) queue.ReplayDeadLetters();

  const Totals before = table.Sum();
  if (before.files > 0) {
    std::cout << "Continuing an index of " << WithCommas(before.files) << " files.\n";
  }
  Progress progress;
  Indexer indexer(queue, table, options.workers);
  indexer.Start(Scanner(store, queue, OwnFiles(options.database)), options.directory);
  const std::optional<int> signal = RunToEnd(indexer, queue, signals, progress);
  const double seconds = progress.seconds();
  indexer.Stop();
  progress.Clear();
  if (signal) {
    std::cout << "Stopped with " << WithCommas(table.Sum().files)
              << " files in the index. The same command continues.\n";
    return 128 + *signal;
  }
  PrintSummary(options, queue, before, table.Sum(), seconds);
  return 0;
}

}  // namespace
}  // namespace index_files

int main(int argc, char** argv) {
  try {
    return index_files::Run(index_files::ParseOptions(argc, argv));
  } catch (const index_files::OptionsExit& exit) {
    (exit.exit_code() == 0 ? std::cout : std::cerr) << exit.what() << "\n";
    return exit.exit_code();
  } catch (const std::exception& error) {
    std::cerr << "index_files: " << error.what() << "\n";
    return 1;
  }
}
