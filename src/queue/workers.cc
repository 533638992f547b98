#include "queue/workers.h"

#include <pgqrs/error.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <utility>

#include "queue/queues.h"
#include "queue/rows.h"

namespace pgqrs::queue {
namespace {

using sql::Statement;

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

bool IsStaleWorker(const WorkerInfo& worker, TimePoint oldest) {
  return worker.status != WorkerStatus::kStopped && worker.heartbeat_at < oldest;
}

// Whether it ended longer ago than that; its last heartbeat is the moment when it stopped.
bool IsLongStopped(const WorkerInfo& worker, TimePoint oldest) {
  return worker.status == WorkerStatus::kStopped && worker.heartbeat_at < oldest;
}

// Adds what is not visible yet, all that is under a valid lease among it, of every queue.
void AddEveryQueue(driver::Connection& connection, SliceWalk& walk) {
  const auto now = ToMicros(connection.Now());
  for (const auto& queue : ListQueues(connection)) walk.Add(queue.id, now);
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
  std::erase_if(workers,
                [oldest](const WorkerInfo& worker) { return !IsStaleWorker(worker, oldest); });
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

void WorkerRelease::Begin(driver::Connection& connection) {
  if (!worker_queue_) worker_queue_ = GetWorker(connection, worker_id_).queue_id;
  walk_.emplace();
  // What is visible already, because its lease ran out, need not be given back.
  if (const auto& only = *worker_queue_) {
    walk_->Add(*only, ToMicros(connection.Now()));
  } else {
    AddEveryQueue(connection, *walk_);
  }
}

bool WorkerRelease::Step(driver::Connection& connection) {
  if (!walk_) Begin(connection);
  const auto now = ToMicros(connection.Now());
  return walk_->Step(connection, [&](const Slice& slice) {
    auto state = slice.state;
    if (state.worker_id != worker_id_ || !state.lease_token) return;
    state.visible_at = std::min(state.visible_at, now);
    state.lease_token.reset();
    BatchSlices batch(slice.batch_id(), {slice});
    batch.SetState(slice.mask, state);
    WriteChanges(connection, slice.state.queue_id, batch);
    released_ += Count(slice.mask);
  });
}

bool WorkerRetirement::Step(driver::Connection& connection) {
  if (worker_->id == 0) return false;  // It never asked for anything.
  if (!release_) release_.emplace(*worker_);
  if (worker_->held != 0 && release_->Step(connection)) return true;
  StoreStatus(connection, worker_->id, WorkerStatus::kStopped);
  return false;
}

bool StoppedWorkerRemoval::Step(driver::Connection& connection) {
  if (!walk_) return Begin(connection);
  if (has_walked_) return RemoveSome(connection);
  has_walked_ = !walk_->Step(connection, [&](const Slice& slice) {
    if (slice.state.lease_token && slice.state.worker_id) ids_.erase(*slice.state.worker_id);
  });
  return !ids_.empty();
}

bool StoppedWorkerRemoval::Begin(driver::Connection& connection) {
  const auto oldest = connection.Now() - timeout_;
  for (const auto& worker : ListWorkers(connection)) {
    if (IsLongStopped(worker, oldest)) ids_.insert(worker.id);
  }
  walk_.emplace();
  if (!ids_.empty()) AddEveryQueue(connection, *walk_);
  return !ids_.empty();
}

bool StoppedWorkerRemoval::RemoveSome(driver::Connection& connection) {
  constexpr int kStep = 500;
  const auto oldest = ToMicros(connection.Now() - timeout_);
  for (int i = 0; i < kStep && !ids_.empty(); ++i) {
    connection.Run(Statement::kDeleteStoppedWorker, {*ids_.begin(), oldest});
    ids_.erase(ids_.begin());
  }
  return !ids_.empty();
}

bool StaleWorkerPurge::Step(driver::Connection& connection) {
  return PurgeStale(connection) || stopped_.Step(connection);
}

bool StaleWorkerPurge::PurgeStale(driver::Connection& connection) {
  if (!std::exchange(is_listed_, true)) {
    for (const auto& worker : StaleWorkers(connection, timeout_)) ids_.push_back(worker.id);
    return !ids_.empty();
  }
  if (ids_.empty()) return false;
  if (!release_) {
    // It may have come back to life meanwhile, or was purged by another.
    if (!IsStale(connection, ids_.back())) {
      ids_.pop_back();
      return !ids_.empty();
    }
    release_.emplace(ids_.back());
  }
  if (release_->Step(connection)) return true;
  connection.Run(Statement::kDeleteWorker, {ids_.back()});
  ++purged_;
  release_.reset();
  ids_.pop_back();
  return !ids_.empty();
}

bool StaleWorkerPurge::IsStale(driver::Connection& connection, std::int64_t worker_id) const {
  bool is_stale = false;
  connection.Run(Statement::kFindWorker, {worker_id}, [&](const driver::Row& row) {
    is_stale = IsStaleWorker(ReadWorker(row), connection.Now() - timeout_);
    return false;
  });
  return is_stale;
}

}  // namespace pgqrs::queue
