#include "queue/workers.h"

#include <pgqrs/error.h>

#include <algorithm>
#include <array>
#include <limits>
#include <optional>
#include <string>
#include <utility>

#include "queue/queues.h"
#include "queue/rows.h"

namespace pgqrs::queue {
namespace {

using sql::Statement;

// How many slices one step looks at, and how many of these the look into one part of the index
// counts for: some milliseconds of work.
constexpr std::int64_t kStep = 1000;
constexpr std::int64_t kRangeCost = 5;

constexpr auto kTransitions = std::to_array<std::pair<WorkerStatus, WorkerStatus>>({
    {WorkerStatus::kReady, WorkerStatus::kPolling},
    {WorkerStatus::kReady, WorkerStatus::kSuspended},
    {WorkerStatus::kPolling, WorkerStatus::kReady},
    {WorkerStatus::kPolling, WorkerStatus::kInterrupted},
    {WorkerStatus::kInterrupted, WorkerStatus::kSuspended},
    {WorkerStatus::kSuspended, WorkerStatus::kReady},
    {WorkerStatus::kSuspended, WorkerStatus::kStopped},
});

WorkerInfo ReadWorker(const driver::Row& row) {
  return {.id = row.Int(0),
          .name = std::string(row.Text(1)),
          .status = static_cast<WorkerStatus>(row.Int(2)),
          .queue_id = row.OptionalInt(3),
          .started_at = FromMicros(row.Int(4)),
          .heartbeat_at = FromMicros(row.Int(5))};
}

void StoreStatus(driver::Connection& connection, std::int64_t worker_id, WorkerStatus status) {
  connection.Run(Statement::kSetWorkerStatus,
                 {worker_id, static_cast<std::int64_t>(status), ToMicros(connection.Now())});
}

}  // namespace

std::vector<WorkerInfo> ListWorkers(driver::Connection& connection) {
  std::vector<WorkerInfo> workers;
  connection.Run(Statement::kListWorkers, {}, [&](const driver::Row& row) {
    workers.push_back(ReadWorker(row));
    return true;
  });
  return workers;
}

WorkerInfo GetWorker(driver::Connection& connection, std::int64_t worker_id) {
  std::optional<WorkerInfo> worker;
  connection.Run(Statement::kFindWorker, {worker_id}, [&](const driver::Row& row) {
    worker = ReadWorker(row);
    return true;
  });
  if (!worker) {
    throw WorkerNotFoundError("worker " + std::to_string(worker_id) + " does not exist");
  }
  return *std::move(worker);
}

std::vector<WorkerInfo> StaleWorkers(driver::Connection& connection, Duration timeout) {
  auto workers = ListWorkers(connection);
  const auto oldest = connection.Now() - timeout;
  std::erase_if(workers, [oldest](const WorkerInfo& worker) {
    return worker.status == WorkerStatus::kStopped || worker.heartbeat_at >= oldest;
  });
  return workers;
}

void SendHeartbeats(driver::Connection& connection, std::span<const std::int64_t> worker_ids) {
  const auto now = ToMicros(connection.Now());
  for (const auto id : worker_ids) connection.Run(Statement::kHeartbeat, {id, now});
}

void SetWorkerStatus(driver::Connection& connection, std::int64_t worker_id, WorkerStatus status) {
  const auto now = GetWorker(connection, worker_id).status;
  if (std::find(kTransitions.begin(), kTransitions.end(), std::pair(now, status)) ==
      kTransitions.end()) {
    throw StateTransitionError("worker " + std::to_string(worker_id) + " cannot go from " +
                               std::string(ToString(now)) + " to " + std::string(ToString(status)));
  }
  StoreStatus(connection, worker_id, status);
}

void WorkerRelease::FindRanges(driver::Connection& connection) {
  std::vector<std::int64_t> queue_ids;
  if (const auto only = GetWorker(connection, worker_id_).queue_id) {
    queue_ids.push_back(*only);
  } else {
    for (const auto& queue : ListQueues(connection)) queue_ids.push_back(queue.id);
  }
  // What is visible already, because its lease ran out, need not be given back.
  const auto now = ToMicros(connection.Now());
  ranges_.emplace();
  for (const auto queue_id : queue_ids) {
    for (std::int64_t priority = 0; priority < kPriorities; ++priority) {
      ranges_->push_back({.queue_id = queue_id,
                          .priority = priority,
                          .visible_at = now,
                          .slice_id = std::numeric_limits<std::int64_t>::max()});
    }
  }
}

bool WorkerRelease::Step(driver::Connection& connection) {
  if (!ranges_) FindRanges(connection);
  const auto now = ToMicros(connection.Now());
  std::int64_t budget = kStep;
  while (!ranges_->empty() && budget > 0) {
    auto& range = ranges_->back();
    std::vector<Slice> slices;
    connection.Run(Statement::kSlicesBehind,
                   {range.queue_id, range.priority, range.visible_at, range.slice_id, budget},
                   [&](const driver::Row& row) {
                     slices.push_back(ReadSlice(row));
                     return true;
                   });
    for (const auto& slice : slices) ReleaseSlice(connection, slice, now);
    if (static_cast<std::int64_t>(slices.size()) < budget) {
      ranges_->pop_back();
    } else {
      range.visible_at = slices.back().state.visible_at;
      range.slice_id = slices.back().id;
    }
    budget -= static_cast<std::int64_t>(slices.size()) + kRangeCost;
  }
  return !ranges_->empty();
}

void WorkerRelease::ReleaseSlice(driver::Connection& connection, const Slice& slice,
                                 std::int64_t now) {
  auto state = slice.state;
  if (state.worker_id != worker_id_ || !state.lease_token) return;
  state.visible_at = std::min(state.visible_at, now);
  state.lease_token.reset();
  BatchSlices batch(slice.batch_id(), {slice});
  batch.SetState(slice.mask, state);
  WriteChanges(connection, batch);
  released_ += Count(slice.mask);
}

bool WorkerRetirement::Step(driver::Connection& connection) {
  if (worker_->id == 0) return false;  // It never asked for anything.
  if (!release_) release_.emplace(worker_->id);
  if (worker_->held != 0 && release_->Step(connection)) return true;
  StoreStatus(connection, worker_->id, WorkerStatus::kStopped);
  return false;
}

bool StaleWorkerPurge::Step(driver::Connection& connection) {
  if (!std::exchange(is_listed_, true)) {
    for (const auto& worker : StaleWorkers(connection, timeout_)) {
      ids_.push_back(worker.id);
      releases_.emplace_back(worker.id);
    }
    return !ids_.empty();
  }
  if (releases_.back().Step(connection)) return true;
  connection.Run(Statement::kDeleteWorker, {ids_.back()});
  ++purged_;
  releases_.pop_back();
  ids_.pop_back();
  return !ids_.empty();
}

}  // namespace pgqrs::queue
