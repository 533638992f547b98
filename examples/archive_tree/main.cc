// archive_tree: compresses every file below a directory, and writes a report.
//
//   archive_tree FROM TO     the files go to TO/files, the report to TO/report.txt
//
// Stopped or killed at any moment and started again by the same command it goes on where it was,
// and in the end the report is the same, and was written once. Several such processes share the
// work. It is a workflow whose state is in TO/archive.db; see archive.cc.

#include <pgqrs/pgqrs.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <ctime>
#include <exception>
#include <filesystem>
#include <iostream>
#include <optional>
#include <string>
#include <thread>

#include "archive.h"
#include "file_path.h"

namespace archive_tree {
namespace {

namespace fs = std::filesystem;

// Others go on with the work of a process that was killed after so long.
constexpr auto kLease = std::chrono::seconds(1);

// SIGINT and SIGTERM, taken by calls instead of a handler. To be made before any thread.
class StopSignals {
 public:
  StopSignals() {
    sigemptyset(&signals_);
    sigaddset(&signals_, SIGINT);
    sigaddset(&signals_, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
  }

  std::optional<int> WaitFor(std::chrono::milliseconds time) const {
    const timespec timeout{.tv_sec = 0, .tv_nsec = std::chrono::nanoseconds(time).count()};
    const int signal = sigtimedwait(&signals_, nullptr, &timeout);
    return signal > 0 ? std::optional(signal) : std::nullopt;
  }

 private:
  sigset_t signals_{};
};

pgqrs::Config StoreConfig(const fs::path& to) {
  pgqrs::Config config("sqlite://" + (to / "archive.db").string());
  config.log = [](const pgqrs::LogRecord& record) {
    if (record.level < pgqrs::LogLevel::kWarning) return;
    std::string line = "archive_tree: " + std::string(record.message);
    for (const auto& field : record.fields)
      line += ", " + std::string(field.name) + ": " + field.value;
    std::cerr << line + "\n";
  };
  return config;
}

int Archive(const fs::path& from, const fs::path& to) {
  const StopSignals signals;
  auto store = pgqrs::PgqrsStore::Connect(StoreConfig(to));
  const auto workflows = DefineWorkflows();
  // The key makes each start of the program find the same run.
  const Task task = {.from = EncodePath(from), .to = EncodePath(to)};
  auto run = store.Trigger(workflows.tree, task, {.idempotency_key = "archive"});
  if (pgqrs::FromJson<Task>(run.Info().input).from != task.from) {
    throw pgqrs::Error(to.string() + " holds the archive of another directory");
  }
  const auto status = run.Status();
  if (status == pgqrs::RunStatus::kError) store.Workflows().Retry(run.id());
  if (status == pgqrs::RunStatus::kSuccess) std::cout << "The archive was complete already.\n";

  const int cores = static_cast<int>(std::clamp(std::thread::hardware_concurrency(), 1U, 64U));
  pgqrs::WorkflowWorker worker(store, {workflows.tree, workflows.part},
                               {.concurrency = cores, .lease = kLease});
  worker.Start();
  while (!IsFinished(run.Status())) {
    const auto signal = signals.WaitFor(std::chrono::milliseconds(20));
    if (!signal) continue;
    worker.Stop();
    std::cout << "Stopped. The same command goes on.\n";
    return 128 + *signal;
  }
  const auto totals = run.Result();
  std::cout << totals.files << " files, " << totals.bytes << " bytes, compressed to "
            << totals.compressed << "; " << totals.errors << " not read\n";
  return 0;
}

}  // namespace
}  // namespace archive_tree

int main(int argc, char** argv) {
  namespace fs = std::filesystem;
  if (argc != 3) {
    std::cerr << "usage: archive_tree FROM TO\n";
    return 2;
  }
  try {
    const auto from = fs::canonical(argv[1]);
    fs::create_directories(argv[2]);
    return archive_tree::Archive(from, fs::canonical(argv[2]));
  } catch (const std::exception& error) {
    std::cerr << "archive_tree: " << error.what() << "\n";
    return 1;
  }
}
