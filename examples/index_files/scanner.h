// Finds the files to index and puts a message for each on the queue.
#ifndef INDEX_FILES_SCANNER_H_
#define INDEX_FILES_SCANNER_H_

#include <pgqrs/pgqrs.h>

#include <cstdint>
#include <filesystem>
#include <stop_token>
#include <string>
#include <system_error>
#include <unordered_set>
#include <vector>

#include "task.h"

namespace index_files {

// Why a directory cannot be listed; false where it can.
std::error_code ListingError(const std::filesystem::path& directory);

// Walks over a directory tree. Each entry that is no directory gets one message, in batches.
// Symbolic links to directories are not followed. What turns out to be unreadable gets a message
// all the same: it ends in the dead letters, where the reason is kept.
//
// A scan that was interrupted is simply run again: it first asks the queue which paths it has seen
// in any state, finished and dead ones included, and leaves these out. The queue is the only record
// of the scan's progress, and a batch is stored as a whole or not at all; so no kill can lose a
// path or enqueue it twice.
class Scanner {
 public:
  // Paths in `excluded` are passed over.
  Scanner(pgqrs::PgqrsStore store, pgqrs::Queue queue, std::vector<std::filesystem::path> excluded);

  // Returns when everything below `directory` is on the queue, or when `stop` is requested.
  void Run(const std::filesystem::path& directory, const std::stop_token& stop);

 private:
  void LoadKnownPaths(const std::stop_token& stop);
  // Puts the subdirectories on `pending`.
  void ScanDirectory(const std::filesystem::path& directory,
                     std::vector<std::filesystem::path>& pending);
  void Add(const std::filesystem::path& path, std::string problem = {});
  void Flush();

  pgqrs::PgqrsStore store_;
  pgqrs::Queue queue_;
  std::vector<std::filesystem::path> excluded_;
  std::unordered_set<std::string> known_;  // Encoded.
  std::vector<pgqrs::Json> batch_;
};

}  // namespace index_files

#endif  // INDEX_FILES_SCANNER_H_
