#ifndef PGQRS_ENGINE_WAITERS_H_
#define PGQRS_ENGINE_WAITERS_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <vector>

#include "engine/intake.h"
#include "queue/request.h"

namespace pgqrs::engine {

// Dequeues that found nothing and wait for a message, by queue.
class Waiters {
 public:
  void Park(RequestPtr request);

  // Each takes requests out. What is there is given once, whoever asks first.
  std::vector<RequestPtr> TakeQueue(std::int64_t queue_id);
  std::vector<RequestPtr> TakeWorker(const queue::Worker* worker);
  std::vector<RequestPtr> TakeExpired(std::chrono::steady_clock::time_point now);
  std::vector<RequestPtr> TakeAll();

  // Remembers that a queue, or any, may have got something for them. One that has looked before
  // that and is parked after it has missed it.
  void NoteChange(std::int64_t queue_id);
  void NoteChange();
  bool HasChangedSince(std::int64_t queue_id,
                       std::chrono::steady_clock::time_point looked_at) const;

  // The queues that they wait for, each once.
  std::vector<std::int64_t> Queues() const;

  // When the first of them waits no longer. Nothing where none does so ever.
  std::optional<std::chrono::steady_clock::time_point> FirstDeadline() const;

  std::size_t size() const;

 private:
  template <typename Matches>
  std::vector<RequestPtr> TakeWhere(Matches matches);

  mutable std::mutex mutex_;
  std::vector<RequestPtr> parked_;
  std::unordered_map<std::int64_t, std::chrono::steady_clock::time_point> changed_at_;
  std::chrono::steady_clock::time_point any_changed_at_{};
};

}  // namespace pgqrs::engine

#endif  // PGQRS_ENGINE_WAITERS_H_
