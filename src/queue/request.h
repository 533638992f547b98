// What callers ask for. The layers above make requests, the engine gathers them in groups, and the
// code in this folder carries a group out in one transaction.
#ifndef PGQRS_QUEUE_REQUEST_H_
#define PGQRS_QUEUE_REQUEST_H_

#include <pgqrs/json.h>
#include <pgqrs/time.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace pgqrs::driver {
class Connection;
}  // namespace pgqrs::driver

namespace pgqrs::queue {

// Priorities are 0, which goes first, to 9.
inline constexpr int kPriorities = 10;

struct QueueRef {
  std::int64_t id = 0;
  std::string name;

  // Whether its last dequeue found less than it wanted. Then lanes take turns: each locks a little
  // more than it takes, which another one would miss.
  mutable std::atomic<bool> is_short{false};

  // What each slice that was taken lately held.
  mutable std::atomic<std::int64_t> messages_per_slice{64};
};

// A worker of this process. Its row is made by the first request that needs it.
struct Worker {
  std::string name;
  std::optional<std::int64_t> queue_id;
  std::atomic<std::int64_t> id{0};

  // From here on it gets nothing more, whatever was asked for before.
  std::atomic<bool> is_retired{false};

  // Messages that it was handed out less those that were settled here. Not exact (that a lease was
  // lost is not noticed), but 0 means that there is nothing to give back.
  std::atomic<std::int64_t> held{0};
};

// What a request takes by itself: the object, its future and what the allocator adds. Measured with
// requests of one small message.
inline constexpr std::size_t kRequestBytes = 640;

struct Request {
  enum class Kind : std::uint8_t { kEnqueue, kDequeue, kSettle, kRun, kJob };

  explicit Request(Kind kind_of_request) : kind(kind_of_request) {}
  Request(const Request&) = delete;
  Request& operator=(const Request&) = delete;
  virtual ~Request() = default;

  // Called once, when the answer (or `error`) is in place and durable, without any lock held. It
  // must not block.
  virtual void Complete() = 0;

  const Kind kind;
  std::exception_ptr error;
  std::size_t bytes = kRequestBytes;  // What it holds in memory, roughly, while it waits.
  std::size_t work = 0;               // For the database, roughly, while it waits.
  std::chrono::steady_clock::time_point submitted_at;
};

// What messages have in common that are runs of a workflow, beside their queue.
struct NewRuns {
  std::optional<int> version;  // Of the workflow's code; none: that of the worker that starts it.
};

struct EnqueueRequest : Request {
  EnqueueRequest() : Request(Kind::kEnqueue) {}

  std::shared_ptr<const QueueRef> queue;
  std::shared_ptr<Worker> producer;
  int priority = 5;
  std::optional<Duration> delay;
  std::optional<TimePoint> visible_at;
  std::vector<Json> payloads;
  std::optional<NewRuns>
      runs;  // Where given, each message is stored with a run, whose input it is.

  std::vector<std::int64_t> ids;  // The answer.
};

// A message as it is handed out.
struct TakenMessage {
  std::int64_t id = 0;
  std::int64_t lease_token = 0;
  std::int64_t worker_id = 0;
  std::int64_t producer_worker_id = 0;
  int read_count = 0;
  int priority = 0;
  std::int64_t enqueued_at = 0;
  std::int64_t visible_at = 0;
  std::int64_t dequeued_at = 0;
  std::int64_t lease_end = 0;
  std::string payload;
};

struct DequeueRequest : Request {
  DequeueRequest() : Request(Kind::kDequeue) {}

  std::shared_ptr<const QueueRef> queue;
  std::shared_ptr<Worker> worker;
  int count = 1;
  Duration lease{};

  // Where given, it is carried out as if it were this time. Such a request does not wait.
  std::optional<TimePoint> at;

  // Where given, an empty answer is not an answer before this time: the engine runs the request
  // again when there may be something.
  std::optional<std::chrono::steady_clock::time_point> wait_until;

  std::vector<TakenMessage> taken;  // The answer.
  std::size_t kept = 0;             // How many of these are from groups that were committed.

  // Whether no other lane dequeues from the queue at the same time.
  bool has_turn = false;

  // Its group had its share of work before all was found that is there: the engine runs it again.
  bool goes_on = false;

  // When its last group began to look for messages.
  std::chrono::steady_clock::time_point looked_at{};

  // Where `taken` is empty: when the queue's next message becomes visible, if it has any.
  std::optional<std::int64_t> next_visible;

  // Makes it as it was before its last group began.
  void Restart() {
    taken.resize(kept);
    goes_on = false;
    next_visible.reset();
    looked_at = std::chrono::steady_clock::now();
  }
  int Missing() const { return count - static_cast<int>(taken.size()); }

  // Whether it is about to wait for a message.
  bool WaitsForMore() const { return taken.empty() && wait_until.has_value() && !goes_on; }
};

// One action on messages under lease.
struct SettleRequest : Request {
  enum class Action : std::uint8_t { kAck, kRelease, kExtend, kDelete, kDeadLetter };

  struct Target {
    std::int64_t message_id = 0;
    std::int64_t lease_token = 0;  // 0: whatever lease `worker` has on it.
    std::int64_t queue_id = 0;     // 0: not known.
  };

  SettleRequest() : Request(Kind::kSettle) {}

  Action action = Action::kAck;
  std::vector<Target> targets;
  std::shared_ptr<Worker> worker;  // Whose leases are meant by targets without a token.
  Duration delay{};                // Of a release; the lease of an extension.
  std::optional<TimePoint> until;  // Of a release, in place of the delay.
  std::string text;                // The reason of a dead letter; the error of a release.
  bool unread = false;             // A release that takes its read back.

  std::vector<bool> answers;               // One a target: whether the lease was current.
  std::vector<std::size_t> left;           // Where not empty: the targets still to be answered.
  std::optional<std::int64_t> visible_at;  // The new end of an extended lease.
};

// Work in a transaction of its own: administration in bounded steps. Answers true where another
// step is to follow, after other requests had their turn.
struct JobRequest : Request {
  JobRequest() : Request(Kind::kJob) {}

  std::function<bool(driver::Connection&)> step;
  bool may_free_messages = true;  // Whether those that wait for messages are to look again.
};

}  // namespace pgqrs::queue

#endif  // PGQRS_QUEUE_REQUEST_H_
