#ifndef PGQRS_QUEUE_WORKERS_H_
#define PGQRS_QUEUE_WORKERS_H_

#include <pgqrs/records.h>
#include <pgqrs/time.h>

#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "driver/driver.h"
#include "queue/request.h"

namespace pgqrs::queue {

std::vector<WorkerInfo> ListWorkers(driver::Connection& connection);

// Throws WorkerNotFoundError.
WorkerInfo GetWorker(driver::Connection& connection, std::int64_t worker_id);

// Workers, not Stopped, whose heartbeat is older than `timeout`.
std::vector<WorkerInfo> StaleWorkers(driver::Connection& connection, Duration timeout);

void SendHeartbeats(driver::Connection& connection, std::span<const std::int64_t> worker_ids);

// Moves a worker to another state. Throws StateTransitionError where that is not allowed, and
// WorkerNotFoundError.
void SetWorkerStatus(driver::Connection& connection, std::int64_t worker_id, WorkerStatus status);

// Makes what a worker holds visible at once, some at a time.
class WorkerRelease {
 public:
  // What a worker without a row, such as one that was purged, is.
  enum class IfUnknown : std::uint8_t { kRelease, kThrow };

  explicit WorkerRelease(std::int64_t worker_id, IfUnknown if_unknown = IfUnknown::kRelease)
      : worker_id_(worker_id), must_check_(if_unknown == IfUnknown::kThrow) {}

  // Answers whether there is more to do.
  bool Step(driver::Connection& connection);
  std::int64_t released() const { return released_; }

 private:
  std::int64_t worker_id_;
  bool must_check_;
  std::int64_t last_slice_ = 0;
  std::int64_t released_ = 0;
};

// The end of a worker of this process: gives back what it holds and leaves it Stopped.
class WorkerRetirement {
 public:
  explicit WorkerRetirement(std::shared_ptr<const Worker> worker)
      : worker_(std::move(worker)), release_(worker_->id) {}

  bool Step(driver::Connection& connection);
  bool done() const { return done_; }

 private:
  std::shared_ptr<const Worker> worker_;
  WorkerRelease release_;
  bool done_ = false;
};

// Releases what stale workers hold and removes their rows, some at a time.
class StaleWorkerPurge {
 public:
  explicit StaleWorkerPurge(Duration timeout) : timeout_(timeout) {}

  bool Step(driver::Connection& connection);
  std::int64_t purged() const { return purged_; }

 private:
  Duration timeout_;
  bool is_listed_ = false;
  std::vector<WorkerRelease> releases_;
  std::vector<std::int64_t> ids_;
  std::int64_t purged_ = 0;
};

}  // namespace pgqrs::queue

#endif  // PGQRS_QUEUE_WORKERS_H_
