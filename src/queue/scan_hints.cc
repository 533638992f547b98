#include "queue/scan_hints.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace pgqrs::queue {
namespace {

constexpr std::int64_t kBeginning = std::numeric_limits<std::int64_t>::min();

// Counting back in slices, not in time, bounds the dead entries that a scan walks over.
constexpr std::size_t kSlicesBack = 256;

// A full scan comes at most so often, and takes at most such a part of the time: it gets dear while
// a snapshot is held.
constexpr auto kFullScanEvery = std::chrono::seconds(1);
constexpr int kFullScanShare = 50;  // One part in so many.

}  // namespace

ScanHints::Scan ScanHints::Begin(std::int64_t queue_id, SteadyTime now) {
  const std::lock_guard lock(mutex_);
  auto& queue = queues_[queue_id];
  Scan scan;
  scan.messages_per_slice =
      std::max<std::int64_t>(1, std::llround(std::floor(queue.messages_per_slice)));
  scan.is_full = now >= queue.next_full;
  if (scan.is_full) queue.next_full = now + kFullScanEvery;  // Ended may put it off further.
  for (std::size_t i = 0; i < scan.first_visible.size(); ++i) {
    const auto& taken = queue.fronts[i].taken;
    const bool is_known = taken.size() >= kSlicesBack;
    scan.first_visible[i] = is_known && !scan.is_full ? taken.front() : kBeginning;
  }
  return scan;
}

void ScanHints::Took(std::int64_t queue_id, int priority, std::int64_t visible_at, int messages) {
  const std::lock_guard lock(mutex_);
  auto& queue = queues_[queue_id];
  auto& taken = queue.fronts[static_cast<std::size_t>(priority)].taken;
  taken.push_back(visible_at);
  if (taken.size() > kSlicesBack) taken.pop_front();
  constexpr double kWeight = 0.125;
  queue.messages_per_slice += kWeight * (messages - queue.messages_per_slice);
}

void ScanHints::Ended(std::int64_t queue_id, const Scan& scan, SteadyTime begin, SteadyTime end) {
  if (!scan.is_full) return;
  const std::lock_guard lock(mutex_);
  auto& next = queues_[queue_id].next_full;
  next = std::max(next, end + (end - begin) * kFullScanShare);
}

}  // namespace pgqrs::queue
