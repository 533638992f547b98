// Where a dequeue begins to look.
//
// On Postgres the slices that were taken leave dead entries at the front of the hot index, and
// while any transaction holds an old snapshot nothing can remove them. So a dequeue does not begin
// at the front but at the visible time of the slice that was taken some hundred slices ago. Word of
// what commits late, behind that, takes it back. What nobody told of is found by a scan from the
// very beginning, which comes from time to time.
#ifndef PGQRS_QUEUE_SCAN_HINTS_H_
#define PGQRS_QUEUE_SCAN_HINTS_H_

#include <array>
#include <chrono>
#include <cstdint>
#include <deque>
#include <limits>
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
    std::uint64_t heard = 0;                              // How much was heard before it.
  };

  // From the very beginning, whatever was heard.
  static Scan Full();

  Scan Begin(std::int64_t queue_id, SteadyTime now);

  // A scan took a slice of so many messages.
  void Took(std::int64_t queue_id, const Scan& scan, int priority, std::int64_t visible_at,
            int messages);

  // A commit has made something visible from this time on: a scan that begins from now on is to
  // look from there.
  void Heard(std::int64_t queue_id, std::int64_t visible_at);

  // A scan was answered after so long. It saw all that was visible, or stopped before.
  void Ended(std::int64_t queue_id, const Scan& scan, bool saw_all, SteadyTime begin,
             SteadyTime end);

 private:
  static constexpr std::int64_t kBeginning = std::numeric_limits<std::int64_t>::min();

  // Until it is known how large the slices of a queue are.
  static constexpr std::int64_t kUnknownSize = 64;

  struct News {
    std::uint64_t number;  // How much of the queue was heard, this included.
    std::int64_t visible_at;
  };
  struct Front {
    std::deque<std::int64_t> taken;  // Visible times, the newest last.
    std::int64_t hint = kBeginning;
    // What no scan that began later has reached yet, without what an earlier time that was heard
    // later stands for too: both numbers rise.
    std::deque<News> news;

    void Add(const News& heard);
    // A scan that began after so many news has looked at all before this time.
    void Reached(std::uint64_t heard, std::int64_t visible_at);
    std::int64_t FirstToLookAt() const;
  };
  struct Queue {
    std::array<Front, kPriorities> fronts;
    std::uint64_t heard = 0;
    double messages_per_slice = kUnknownSize;
    SteadyTime next_full{};
  };

  std::mutex mutex_;
  std::unordered_map<std::int64_t, Queue> queues_;
};

}  // namespace pgqrs::queue

#endif  // PGQRS_QUEUE_SCAN_HINTS_H_
