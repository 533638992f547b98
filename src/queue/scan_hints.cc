#include "queue/scan_hints.h"

#include <algorithm>
#include <cmath>

namespace pgqrs::queue {
namespace {

// Counting back in slices, not in time, bounds the dead entries that a scan walks over.
constexpr std::size_t kSlicesBack = 256;

// A full scan comes at most so often, and takes at most such a part of the time: it gets dear while
// a snapshot is held.
constexpr auto kFullScanEvery = std::chrono::seconds(1);
constexpr int kFullScanShare = 50;  // One part in so many.

// What was heard before these is forgotten: a scan that takes so long must not keep its queue's
// hint where it is.
constexpr std::size_t kMaxNews = 64;

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
    scan.first_visible[i] = scan.is_full ? kBeginning : queue.fronts[i].hint;
  }
  scan.heard = queue.heard;
  return scan;
}

void ScanHints::Took(std::int64_t queue_id, const Scan& scan, int priority, std::int64_t visible_at,
                     int messages) {
  const std::lock_guard lock(mutex_);
  auto& queue = queues_[queue_id];
  constexpr double kWeight = 0.125;
  queue.messages_per_slice += kWeight * (messages - queue.messages_per_slice);
  if (MayHaveMissed(queue, scan, visible_at)) return;
  auto& front = queue.fronts[static_cast<std::size_t>(priority)];
  front.taken.push_back(visible_at);
  if (front.taken.size() > kSlicesBack) front.taken.pop_front();
  if (front.taken.size() == kSlicesBack) front.hint = front.taken.front();
}

// Whether something that was heard since the scan began lies before the slice that it took: it may
// have gone past that.
bool ScanHints::MayHaveMissed(const Queue& queue, const Scan& scan, std::int64_t visible_at) {
  const auto since = std::find_if(queue.news.begin(), queue.news.end(),
                                  [&](const News& news) { return news.number > scan.heard; });
  return since != queue.news.end() && since->visible_at < visible_at;
}

void ScanHints::Heard(std::int64_t queue_id, std::int64_t visible_at) {
  const std::lock_guard lock(mutex_);
  const auto found = queues_.find(queue_id);
  if (found == queues_.end()) return;
  auto& queue = found->second;
  while (!queue.news.empty() && queue.news.back().visible_at >= visible_at) queue.news.pop_back();
  queue.news.push_back({++queue.heard, visible_at});
  if (queue.news.size() > kMaxNews) queue.news.pop_front();
  for (auto& front : queue.fronts) {
    front.hint = std::min(front.hint, visible_at);
    std::erase_if(front.taken, [&](std::int64_t taken) { return taken > visible_at; });
  }
}

void ScanHints::Ended(std::int64_t queue_id, const Scan& scan, SteadyTime begin, SteadyTime end) {
  if (!scan.is_full) return;
  const std::lock_guard lock(mutex_);
  auto& next = queues_[queue_id].next_full;
  next = std::max(next, end + (end - begin) * kFullScanShare);
}

}  // namespace pgqrs::queue
