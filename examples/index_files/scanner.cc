#include "scanner.h"

#include <algorithm>
#include <utility>

namespace index_files {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kBatchSize = 1000;
constexpr int kPageSize = 10'000;

}  // namespace

std::error_code ListingError(const fs::path& directory) {
  std::error_code error;
  auto entry = fs::directory_iterator(directory, error);
  while (!error && entry != fs::directory_iterator()) entry.increment(error);
  return error;
}

Scanner::Scanner(pgqrs::PgqrsStore store, pgqrs::Queue queue, std::vector<fs::path> excluded)
    : store_(std::move(store)), queue_(std::move(queue)), excluded_(std::move(excluded)) {}

void Scanner::Run(const fs::path& directory, const std::stop_token& stop) {
  LoadKnownPaths(stop);
  std::vector<fs::path> pending = {directory};
  while (!pending.empty() && !stop.stop_requested()) {
    const fs::path next = std::move(pending.back());
    pending.pop_back();
    ScanDirectory(next, pending);
  }
  Flush();
}

void Scanner::LoadKnownPaths(const std::stop_token& stop) {
  // A message may be acked between two pages. It keeps its id, so it is seen all the same.
  std::vector<pgqrs::MessageInfo> messages;
  pgqrs::Page page{.after_id = 0, .limit = kPageSize};
  do {
    messages = store_.Admin().Messages(page);
    for (const pgqrs::MessageInfo& message : messages) {
      page.after_id = message.id;
      if (message.queue_id == queue_.id()) known_.insert(TaskFromJson(message.payload).path);
    }
  } while (!messages.empty() && !stop.stop_requested());
}

void Scanner::ScanDirectory(const fs::path& directory, std::vector<fs::path>& pending) {
  std::error_code error;
  auto entry = fs::directory_iterator(directory, error);
  for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
    std::error_code status_error;
    if (entry->symlink_status(status_error).type() == fs::file_type::directory) {
      pending.push_back(entry->path());
    } else if (!entry->is_directory(status_error)) {  // What is one now is a link to one.
      Add(entry->path());
    }
  }
  if (error) Add(directory, "cannot list the directory: " + error.message());
}

void Scanner::Add(const fs::path& path, std::string problem) {
  if (std::ranges::find(excluded_, path) != excluded_.end()) return;
  Task task{.path = EncodePath(path.native()), .problem = std::move(problem)};
  if (known_.contains(task.path)) return;
  batch_.push_back(ToJson(task));
  if (batch_.size() >= kBatchSize) Flush();
}

void Scanner::Flush() {
  queue_.EnqueueBatch(batch_);
  batch_.clear();
}

}  // namespace index_files
