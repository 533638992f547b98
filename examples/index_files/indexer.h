// The job: a scanner that fills the queue, and workers that empty it.
#ifndef INDEX_FILES_INDEXER_H_
#define INDEX_FILES_INDEXER_H_

#include <pgqrs/pgqrs.h>

#include <atomic>
#include <exception>
#include <filesystem>
#include <memory>
#include <mutex>
#include <stop_token>
#include <thread>
#include <vector>

#include "file_table.h"
#include "scanner.h"

namespace index_files {

// Runs on threads of its own; the calls here come from one thread.
class Indexer {
 public:
  Indexer(const pgqrs::Queue& queue, FileTable& table, int workers);
  Indexer(const Indexer&) = delete;
  Indexer& operator=(const Indexer&) = delete;
  ~Indexer();  // As Stop.

  // Starts the scan and the workers.
  void Start(Scanner scanner, const std::filesystem::path& directory);

  // True when everything that there is to index is on the queue.
  bool ScanFinished() const { return scan_finished_; }

  // Throws what stopped the scan or a worker: not a bad file, of which the dead letters tell, but a
  // database that cannot be used any more.
  void CheckHealth();

  // Gives back what no worker has finished, within moments.
  void Stop();

 private:
  void HandleMessage(pgqrs::Message& message);
  void RequestStop();
  // In a catch block: keeps the exception for CheckHealth, where it is the first, and stops all.
  void Fail();

  FileTable& table_;
  std::stop_source stop_;  // For the scan and for files that take long to read.
  std::atomic<bool> scan_finished_ = false;

  std::mutex failure_mutex_;
  std::exception_ptr failure_;

  std::vector<std::unique_ptr<pgqrs::QueueWorker>> workers_;
  std::jthread scan_;
};

}  // namespace index_files

#endif  // INDEX_FILES_INDEXER_H_
