#include "queue/workers.h"

#include <pgqrs/error.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "queue/columns.h"
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

// How many rows of workers one step removes.
constexpr int kRemovalStep = 500;

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

std::int64_t& CountOf(WorkerHealth& health, WorkerStatus status) {
  switch (status) {
    case WorkerStatus::kReady:
      return health.ready;
    case WorkerStatus::kPolling:
      return health.polling;
    case WorkerStatus::kSuspended:
      return health.suspended;
    case WorkerStatus::kInterrupted:
      return health.interrupted;
    case WorkerStatus::kStopped:
      return health.stopped;
  }
  throw driver::Failure(driver::Fault::kStatement, "a worker is in no state that is known");
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

std::optional<std::int64_t> HolderOf(const Slice& slice) {
  return slice.state.lease_token ? slice.state.worker_id : std::nullopt;
}

// Makes a slice under a lease visible.
void GiveBack(driver::Connection& connection, const Slice& slice, std::int64_t now) {
  auto state = slice.state;
  state.visible_at = std::min(state.visible_at, now);
  state.lease_token.reset();
  BatchSlices batch(slice.batch_id(), {slice});
  batch.SetState(slice.mask, state);
  WriteChanges(connection, state.queue_id, batch);
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

std::vector<WorkerHealth> SummarizeWorkers(driver::Connection& connection, Duration timeout) {
  std::vector<WorkerHealth> summary;
  std::map<std::int64_t, std::size_t> places;
  for (const auto& queue : ListQueues(connection)) {
    places.emplace(queue.id, summary.size());
    summary.emplace_back().queue_name = queue.queue_name;
  }
  WorkerHealth of_any_queue;
  const auto oldest = connection.Now() - timeout;
  for (const auto& worker : ListWorkers(connection)) {
    const auto place = worker.queue_id ? places.find(*worker.queue_id) : places.end();
    if (worker.queue_id && place == places.end()) continue;  // The queue is being deleted.
    auto& health = worker.queue_id ? summary[place->second] : of_any_queue;
    ++health.total;
    ++CountOf(health, worker.status);
    if (IsStaleWorker(worker, oldest)) ++health.stale;
  }
  if (of_any_queue.total > 0) summary.push_back(std::move(of_any_queue));
  return summary;
}

void SendHeartbeats(driver::Connection& connection, std::span<const std::int64_t> worker_ids) {
  const auto now = AsValue(connection.Clock());
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
    if (HolderOf(slice) != worker_id_) return;
    GiveBack(connection, slice, now);
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
    if (const auto holder = HolderOf(slice)) ids_.erase(*holder);
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
  const auto oldest = ToMicros(connection.Now() - timeout_);
  for (int i = 0; i < kRemovalStep && !ids_.empty(); ++i) {
    connection.Run(Statement::kDeleteStoppedWorker, {*ids_.begin(), oldest});
    ids_.erase(ids_.begin());
  }
  return !ids_.empty();
}

bool StaleWorkerPurge::Step(driver::Connection& connection) {
  return PurgeStale(connection) || stopped_.Step(connection);
}

bool StaleWorkerPurge::PurgeStale(driver::Connection& connection) {
  if (!walk_) return Begin(connection);
  if (ids_.empty()) return false;
  return has_walked_ ? RemoveSome(connection) : ReleaseSome(connection);
}

bool StaleWorkerPurge::Begin(driver::Connection& connection) {
  std::set<std::optional<std::int64_t>> queues;
  for (const auto& worker : StaleWorkers(connection, timeout_)) {
    ids_.insert(worker.id);
    queues.insert(worker.queue_id);
  }
  walk_.emplace();
  if (queues.contains(std::nullopt)) {
    AddEveryQueue(connection, *walk_);
  } else {
    for (const auto& queue_id : queues) walk_->Add(*queue_id, ToMicros(connection.Now()));
  }
  return !ids_.empty();
}

bool StaleWorkerPurge::ReleaseSome(driver::Connection& connection) {
  const auto now = ToMicros(connection.Now());
  // It may have come back to life meanwhile.
  std::map<std::int64_t, bool> is_stale;
  has_walked_ = !walk_->Step(connection, [&](const Slice& slice) {
    const auto holder = HolderOf(slice);
    if (!holder || !ids_.contains(*holder)) return;
    const auto [it, is_new] = is_stale.try_emplace(*holder);
    if (is_new) it->second = IsStale(connection, *holder);
    if (it->second) GiveBack(connection, slice, now);
  });
  return true;
}

bool StaleWorkerPurge::RemoveSome(driver::Connection& connection) {
  for (int i = 0; i < kRemovalStep && !ids_.empty(); ++i) {
    const auto id = *ids_.begin();
    ids_.erase(ids_.begin());
    // Or it was purged by another.
    if (!IsStale(connection, id)) continue;
    connection.Run(Statement::kDeleteWorker, {id});
    ++purged_;
  }
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
