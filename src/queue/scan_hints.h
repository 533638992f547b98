// Where a dequeue begins to look.
//
// On Postgres the slices that were taken leave dead entries at the front of the hot index, and
// while any transaction holds an old snapshot nothing can remove them. So a dequeue does not begin
// at the front but at the visible time of the slice that was taken some hundred slices ago. What
// commits late, behind that, is found by a scan from the very beginning, which comes from time to
// time.
#ifndef PGQRS_QUEUE_SCAN_HINTS_H_
#define PGQRS_QUEUE_SCAN_HINTS_H_

#include <array>
#include <chrono>
#include <cstdint>
#include <deque>
#include <mutex>
#include <unordered_map>

#include "queue/request.h"

namespace pgqrs::queue {

// Of one store. Any thread may call it at any time.
class ScanHints {
 public:
  using SteadyTime = std::chrono::steady_clock::time_point;

  // What one dequeue of a queue is to do.
  struct Scan {
    std::array<std::int64_t, kPriorities> first_visible;  // By priority.
    bool is_full = false;                                 // From the very beginning.
    std::int64_t messages_per_slice = kUnknownSize;       // What to expect.
  };

  Scan Begin(std::int64_t queue_id, SteadyTime now);

  // A slice of so many messages was taken.
  void Took(std::int64_t queue_id, int priority, std::int64_t visible_at, int messages);

  // A scan was answered after so long.
  void Ended(std::int64_t queue_id, const Scan& scan, SteadyTime begin, SteadyTime end);

 private:
  // Until it is known how large the slices of a queue are.
  static constexpr std::int64_t kUnknownSize = 64;

  struct Front {
    std::deque<std::int64_t> taken;  // Visible times, the newest last.
  };
  struct Queue {
    std::array<Front, kPriorities> fronts;
    double messages_per_slice = kUnknownSize;
    SteadyTime next_full{};
  };

  std::mutex mutex_;
  std::unordered_map<std::int64_t, Queue> queues_;
};

}  // namespace pgqrs::queue

#endif  // PGQRS_QUEUE_SCAN_HINTS_H_
