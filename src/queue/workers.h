#ifndef PGQRS_QUEUE_WORKERS_H_
#define PGQRS_QUEUE_WORKERS_H_

#include <pgqrs/records.h>
#include <pgqrs/time.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <utility>
#include <vector>

#include "driver/driver.h"
#include "queue/request.h"
#include "queue/slice_walk.h"

namespace pgqrs::queue {

std::vector<WorkerInfo> ListWorkers(driver::Connection& connection);

// Throws WorkerNotFoundError.
WorkerInfo GetWorker(driver::Connection& connection, std::int64_t worker_id);

// Workers, not Stopped, whose heartbeat is older than `timeout`.
std::vector<WorkerInfo> StaleWorkers(driver::Connection& connection, Duration timeout);

// The same counted, with all others, by queue.
std::vector<WorkerHealth> SummarizeWorkers(driver::Connection& connection, Duration timeout);

void SendHeartbeats(driver::Connection& connection, std::span<const std::int64_t> worker_ids);

// Moves a worker to another state. Throws StateTransitionError where that is not allowed, and
// WorkerNotFoundError.
void SetWorkerStatus(driver::Connection& connection, std::int64_t worker_id, WorkerStatus status);

// Makes what a worker holds visible at once, some at a time. It goes through what is not visible in
// the worker's queue, or in every queue: no index by worker burdens each dequeue and ack for this.
class WorkerRelease {
 public:
  // A worker in the table; Step throws WorkerNotFoundError where there is none.
  explicit WorkerRelease(std::int64_t worker_id) : worker_id_(worker_id) {}
  // A worker of this process, whether its row is still there or not.
  explicit WorkerRelease(const Worker& worker)
      : worker_id_(worker.id), worker_queue_(worker.queue_id) {}

  // Answers whether there is more to do.
  bool Step(driver::Connection& connection);
  std::int64_t released() const { return released_; }

 private:
  void Begin(driver::Connection& connection);

  std::int64_t worker_id_;
  std::optional<std::optional<std::int64_t>> worker_queue_;  // Nothing while that is not known.
  std::optional<SliceWalk> walk_;
  std::int64_t released_ = 0;
};

// The end of a worker of this process: gives back what it holds and leaves it Stopped.
class WorkerRetirement {
 public:
  explicit WorkerRetirement(std::shared_ptr<const Worker> worker) : worker_(std::move(worker)) {}

  // Answers whether there is more to do.
  bool Step(driver::Connection& connection);

 private:
  std::shared_ptr<const Worker> worker_;
  std::optional<WorkerRelease> release_;
};

// Removes the rows of workers that stopped longer ago than `timeout` and hold nothing, some at a
// time. One walk finds who holds something, for all of them.
class StoppedWorkerRemoval {
 public:
  explicit StoppedWorkerRemoval(Duration timeout) : timeout_(timeout) {}

  // Answers whether there is more to do.
  bool Step(driver::Connection& connection);

 private:
  bool Begin(driver::Connection& connection);
  bool RemoveSome(driver::Connection& connection);

  Duration timeout_;
  std::set<std::int64_t> ids_;
  std::optional<SliceWalk> walk_;
  bool has_walked_ = false;
};

// Releases what stale workers hold and removes their rows, and then those of stopped workers, some
// at a time. One walk finds what they hold, for all of them.
class StaleWorkerPurge {
 public:
  explicit StaleWorkerPurge(Duration timeout) : timeout_(timeout), stopped_(timeout) {}

  bool Step(driver::Connection& connection);
  std::int64_t purged() const { return purged_; }

 private:
  // The same, of the stale workers alone.
  bool PurgeStale(driver::Connection& connection);
  bool Begin(driver::Connection& connection);
  bool ReleaseSome(driver::Connection& connection);
  bool RemoveSome(driver::Connection& connection);
  bool IsStale(driver::Connection& connection, std::int64_t worker_id) const;

  Duration timeout_;
  std::set<std::int64_t> ids_;
  std::optional<SliceWalk> walk_;
  bool has_walked_ = false;
  std::int64_t purged_ = 0;
  StoppedWorkerRemoval stopped_;
};

}  // namespace pgqrs::queue

#endif  // PGQRS_QUEUE_WORKERS_H_
