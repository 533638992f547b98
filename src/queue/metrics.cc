#include "queue/metrics.h"

#include <algorithm>
#include <chrono>
#include <optional>

#include "queue/queues.h"
#include "queue/rows.h"

namespace pgqrs::queue {
namespace {

using sql::Statement;

constexpr Duration kRateWindow = std::chrono::minutes(1);

// Bounds the work for a rate where the window holds more; the window is then shorter.
constexpr std::int64_t kRateRows = 50'000;

struct Counts {
  QueueMetrics metrics;
  std::optional<std::int64_t> oldest_waiting_batch;
  std::optional<std::int64_t> newest_batch;
};

Counts CountMessages(driver::Connection& connection, std::int64_t queue_id) {
  Counts counts;
  const auto now = ToMicros(connection.Now());
  connection.Run(Statement::kCountSlices, {queue_id, now}, [&](const driver::Row& row) {
    counts.metrics.waiting = row.Int(0);
    counts.metrics.delayed = row.Int(1);
    counts.metrics.leased = row.Int(2);
    counts.oldest_waiting_batch = row.OptionalInt(3);
    counts.newest_batch = row.OptionalInt(4);
    return true;
  });
  connection.Run(Statement::kCountDead, {queue_id}, [&](const driver::Row& row) {
    counts.metrics.dead = row.Int(0);
    return true;
  });
  connection.Run(Statement::kCountArchive, {queue_id}, [&](const driver::Row& row) {
    counts.metrics.archived = row.Int(0) - counts.metrics.dead;
    counts.newest_batch = std::max(counts.newest_batch, row.OptionalInt(1));
    return true;
  });
  return counts;
}

double Rate(driver::Connection& connection, Statement count_since, std::int64_t queue_id) {
  const auto now = ToMicros(connection.Now());
  std::int64_t messages = 0;
  Duration window = kRateWindow;
  connection.Run(count_since, {queue_id, now - kRateWindow.count(), kRateRows},
                 [&](const driver::Row& row) {
                   messages = row.Int(0);
                   if (row.Int(2) == kRateRows) window = Duration(now - row.Int(1));
                   return true;
                 });
  const std::chrono::duration<double> seconds = std::max(window, Duration(1));
  return static_cast<double>(messages) / seconds.count();
}

std::optional<TimePoint> EnqueuedAt(driver::Connection& connection,
                                    std::optional<std::int64_t> batch_id) {
  if (!batch_id) return std::nullopt;
  const auto batch = FindBatch(connection, *batch_id);
  return batch ? std::optional(FromMicros(batch->enqueued_at)) : std::nullopt;
}

}  // namespace

QueueMetrics MeasureQueue(driver::Connection& connection, std::int64_t queue_id,
                          std::string_view name) {
  auto counts = CountMessages(connection, queue_id);
  auto& metrics = counts.metrics;
  metrics.queue_name = name;
  metrics.oldest_waiting = EnqueuedAt(connection, counts.oldest_waiting_batch);
  metrics.newest_message = EnqueuedAt(connection, counts.newest_batch);
  if (metrics.oldest_waiting) {
    metrics.oldest_age = std::max(Duration::zero(), connection.Now() - *metrics.oldest_waiting);
  }
  metrics.enqueued_per_second = Rate(connection, Statement::kCountEnqueuedSince, queue_id);
  metrics.finished_per_second = Rate(connection, Statement::kCountFinishedSince, queue_id);
  return metrics;
}

std::vector<QueueMetrics> MeasureAllQueues(driver::Connection& connection) {
  HoldSlices(connection);
  std::vector<QueueMetrics> all;
  for (const auto& queue : ListQueues(connection)) {
    all.push_back(MeasureQueue(connection, queue.id, queue.queue_name));
  }
  return all;
}

}  // namespace pgqrs::queue
