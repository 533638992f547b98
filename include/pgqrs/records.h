// Plain records that describe what is in the database.
#ifndef PGQRS_RECORDS_H_
#define PGQRS_RECORDS_H_

#include <pgqrs/json.h>
#include <pgqrs/time.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace pgqrs {

struct QueueInfo {
  std::int64_t id = 0;
  std::string queue_name;
  TimePoint created_at;
};

enum class MessageState : std::uint8_t {
  kWaiting,   // Visible: the next dequeue may take it. A lease that ran out leads here too.
  kDelayed,   // Not visible before its time.
  kLeased,    // Held by a worker.
  kArchived,  // Acked.
  kDead,      // A dead letter.
};

// "waiting", "delayed", "leased", "archived", "dead".
std::string_view ToString(MessageState state);

// A message as a record: nobody holds it by reading this.
struct MessageInfo {
  std::int64_t id = 0;
  std::int64_t queue_id = 0;
  MessageState state = MessageState::kWaiting;
  Json payload;
  int priority = 0;
  int read_count = 0;
  TimePoint enqueued_at;
  std::optional<TimePoint> visible_at;   // While waiting or delayed; while leased: the lease's end.
  std::optional<TimePoint> dequeued_at;  // The last time it was handed out.
  std::optional<TimePoint> archived_at;  // When it was acked, or became a dead letter.
  std::optional<std::int64_t> producer_worker_id;
  std::optional<std::int64_t> worker_id;  // The last worker that held it.
  std::string reason;                     // Why it is a dead letter.
  std::string last_error;                 // What the last release said.
};

// One page of a listing: messages with ids above `after_id`, in the order of their ids.
struct Page {
  std::int64_t after_id = 0;
  int limit = 100;  // From 1 to 10,000, else ValidationError.
};

// What a queue holds at one moment. The five states add up to every message that was enqueued and
// not deleted, purged or removed by retention.
struct QueueMetrics {
  std::string queue_name;
  std::int64_t waiting = 0;
  std::int64_t delayed = 0;
  std::int64_t leased = 0;
  std::int64_t archived = 0;
  std::int64_t dead = 0;
  // When the waiting message with the lowest id was enqueued. (Processes reserve their ids in
  // blocks, so where several enqueue another one may be older by as long as a block lasts.)
  std::optional<TimePoint> oldest_waiting;
  std::optional<TimePoint> newest_message;  // When the newest message was enqueued.
  Duration oldest_age = Duration::zero();   // How long the oldest waiting message waits.
  double enqueued_per_second = 0;           // Over the last minute.
  double finished_per_second = 0;           // Over the last minute.
};

enum class WorkerStatus : std::uint8_t { kReady, kPolling, kSuspended, kInterrupted, kStopped };

// "Ready", "Polling", "Suspended", "Interrupted", "Stopped".
std::string_view ToString(WorkerStatus status);

struct WorkerInfo {
  std::int64_t id = 0;
  std::string name;
  WorkerStatus status = WorkerStatus::kReady;
  std::optional<std::int64_t> queue_id;  // None: it serves any queue.
  TimePoint started_at;
  TimePoint heartbeat_at;
};

// How many workers of a queue are in which state.
struct WorkerHealth {
  std::string queue_name;  // Empty for those that serve any queue.
  std::int64_t total = 0;
  std::int64_t ready = 0;
  std::int64_t polling = 0;
  std::int64_t suspended = 0;
  std::int64_t interrupted = 0;
  std::int64_t stopped = 0;
  std::int64_t stale = 0;  // Of those that are not stopped: the heartbeat is too old.
};

// Which finished messages to keep. Where both are given a message that either excludes goes.
struct RetentionPolicy {
  std::optional<Duration> max_age = {};        // Since it was acked.
  std::optional<std::int64_t> max_count = {};  // The newest of the queue, by id.
};

// A histogram with buckets that double: bucket i counts values in [2^i, 2^(i+1)); bucket 0 also
// counts 0.
struct Histogram {
  std::array<std::uint64_t, 40> buckets{};
  std::uint64_t count = 0;
  std::uint64_t sum = 0;

  // The upper end of the bucket in which the given fraction (0 to 1) of the values is reached; 0
  // where there are none.
  std::uint64_t Percentile(double fraction) const;
};

// What the engine of one store has done since it was opened.
struct EngineMetrics {
  std::uint64_t requests = 0;           // Requests completed, failed ones included.
  std::uint64_t failed_requests = 0;    // Requests that ended with an error.
  std::uint64_t groups = 0;             // Transactions that carried requests.
  std::uint64_t retried_groups = 0;     // Of these, those that had to be run again.
  std::uint64_t pending_requests = 0;   // Waiting or running now.
  std::uint64_t waiting_consumers = 0;  // DequeueWait calls that wait for a message now.
  Histogram group_size;                 // Requests in a group.
  Histogram group_latency;              // Microseconds from begin to commit.
  Histogram request_latency;            // Microseconds from the call to its completion.
};

}  // namespace pgqrs

#endif  // PGQRS_RECORDS_H_
