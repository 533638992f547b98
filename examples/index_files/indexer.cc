#include "indexer.h"

#include <chrono>
#include <string>
#include <utility>

#include "file_reader.h"
#include "task.h"

namespace index_files {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// Handlers a worker runs at once: while one waits for the disk, the others read.
constexpr int kHandlersPerWorker = 4;

}  // namespace

Indexer::Indexer(const pgqrs::Queue& queue, FileTable& table, int workers) : table_(table) {
  for (int i = 1; i <= workers; ++i) {
    workers_.push_back(std::make_unique<pgqrs::QueueWorker>(
        queue, [this](pgqrs::Message& message) { HandleMessage(message); },
        pgqrs::WorkerOptions{
            .name = "index_files " + std::to_string(i),
            .concurrency = kHandlersPerWorker,
            .prefetch = 64,
            .lease = seconds(30),
            .retry = {.max_attempts = 5, .base_delay = milliseconds(100), .max_delay = seconds(5)},
        }));
  }
}

Indexer::~Indexer() { Stop(); }

void Indexer::Start(Scanner scanner, const std::filesystem::path& directory) {
  for (const auto& worker : workers_) worker->Start();
  scan_ = std::jthread([this, scanner = std::move(scanner), directory]() mutable {
    try {
      scanner.Run(directory, stop_.get_token());
      scan_finished_ = !stop_.stop_requested();
    } catch (...) {
      Fail();
    }
  });
}

void Indexer::CheckHealth() {
  const std::lock_guard lock(failure_mutex_);
  if (failure_) std::rethrow_exception(failure_);
}

void Indexer::Stop() {
  RequestStop();
  for (const auto& worker : workers_) worker->Stop();
  if (scan_.joinable()) scan_.join();
}

// When this returns the message is acked. A file that is handed out twice, because the process died
// between the table and the ack, is stored twice under the same path: once, that is.
void Indexer::HandleMessage(pgqrs::Message& message) {
  const Task task = TaskFromJson(message.payload());
  if (!task.problem.empty()) {
    // Where a retry finds the directory in order there is nothing to do: the scan, which every
    // start makes, lists what is in it.
    if (ListingError(DecodePath(task.path))) throw pgqrs::Discard(task.problem);
    return;
  }
  try {
    table_.Put(task.path, ReadContent(DecodePath(task.path), stop_.get_token()));
  } catch (const UnreadableFile& error) {
    throw pgqrs::Discard(error.what());
  } catch (const ReadStopped& stopped) {
    throw pgqrs::RetryAfter(pgqrs::Duration::zero(), stopped.what());
  } catch (const TableError& error) {
    Fail();
    throw pgqrs::RetryAfter(pgqrs::Duration::zero(), error.what());
  }
}

void Indexer::RequestStop() {
  stop_.request_stop();
  for (const auto& worker : workers_) worker->RequestStop();
}

void Indexer::Fail() {
  {
    const std::lock_guard lock(failure_mutex_);
    if (!failure_) failure_ = std::current_exception();
  }
  RequestStop();
}

}  // namespace index_files
