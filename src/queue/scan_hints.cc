#include "queue/scan_hints.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace pgqrs::queue {
namespace {

constexpr std::int64_t kEnd = std::numeric_limits<std::int64_t>::max();

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

ScanHints::Scan ScanHints::Full() {
  Scan scan;
  scan.first_visible.fill(kBeginning);
  scan.is_full = true;
  return scan;
}

ScanHints::Scan ScanHints::Begin(std::int64_t queue_id, SteadyTime now) {
  const std::lock_guard lock(mutex_);
  auto& queue = queues_[queue_id];
  Scan scan;
  scan.messages_per_slice =
      std::max<std::int64_t>(1, std::llround(std::floor(queue.messages_per_slice)));
  scan.is_full = now >= queue.next_full;
  if (scan.is_full) queue.next_full = now + kFullScanEvery;  // Ended may put it off further.
  for (std::size_t i = 0; i < scan.first_visible.size(); ++i) {
    scan.first_visible[i] = scan.is_full ? kBeginning : queue.fronts[i].FirstToLookAt();
  }
  scan.heard = queue.heard;
  return scan;
}

void ScanHints::Took(std::int64_t queue_id, const Scan& scan, int priority, std::int64_t visible_at,
                     int messages) {
  const std::lock_guard lock(mutex_);
  auto& queue = queues_[queue_id];
  auto& front = queue.fronts[static_cast<std::size_t>(priority)];
  front.taken.push_back(visible_at);
  if (front.taken.size() > kSlicesBack) front.taken.pop_front();
  if (front.taken.size() == kSlicesBack) front.hint = front.taken.front();
  front.Reached(scan.heard, visible_at);
  constexpr double kWeight = 0.125;
  queue.messages_per_slice += kWeight * (messages - queue.messages_per_slice);
}

void ScanHints::Heard(std::int64_t queue_id, std::int64_t visible_at) {
  const std::lock_guard lock(mutex_);
  const auto found = queues_.find(queue_id);
  if (found == queues_.end()) return;
  auto& queue = found->second;
  ++queue.heard;
  for (auto& front : queue.fronts) front.Add({queue.heard, visible_at});
}

void ScanHints::Ended(std::int64_t queue_id, const Scan& scan, bool saw_all, SteadyTime begin,
                      SteadyTime end) {
  if (!saw_all && !scan.is_full) return;
  const std::lock_guard lock(mutex_);
  auto& queue = queues_[queue_id];
  if (saw_all) {
    for (auto& front : queue.fronts) front.Reached(scan.heard, kEnd);
  }
  if (scan.is_full) {
    queue.next_full = std::max(queue.next_full, end + (end - begin) * kFullScanShare);
  }
}

void ScanHints::Front::Add(const News& heard) {
  while (!news.empty() && news.back().visible_at >= heard.visible_at) news.pop_back();
  news.push_back(heard);
  if (news.size() > kMaxNews) news.pop_front();
}

void ScanHints::Front::Reached(std::uint64_t heard, std::int64_t visible_at) {
  while (!news.empty() && news.front().number <= heard && news.front().visible_at < visible_at) {
    news.pop_front();
  }
}

std::int64_t ScanHints::Front::FirstToLookAt() const {
  return news.empty() ? hint : std::min(hint, news.front().visible_at);
}

}  // namespace pgqrs::queue
