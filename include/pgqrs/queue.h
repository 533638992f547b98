// A queue: where messages are put and taken.
#ifndef PGQRS_QUEUE_H_
#define PGQRS_QUEUE_H_

#include <pgqrs/future.h>
#include <pgqrs/json.h>
#include <pgqrs/message.h>
#include <pgqrs/records.h>
#include <pgqrs/time.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace pgqrs {

namespace internal {
class QueueCore;
struct QueueAccess;
}  // namespace internal

class Consumer;

struct EnqueueOptions {
  // Holds the message back: for this long after the enqueue, or until this time. At most one of the
  // two. A time in the past means at once.
  std::optional<Duration> delay = {};
  std::optional<TimePoint> visible_at = {};

  // 0 (first) to 9. Messages of equal priority come out in the order of (visible time, id).
  int priority = 5;
};

// A handle on one queue. Cheap to copy; every call works from any thread at any time. Calls throw
// QueueNotFoundError once the queue was deleted, and Error once the store was closed.
//
// Each …Async form makes the same request without waiting for its result. It checks its arguments
// before it returns, and waits only where too much is waiting in the store already
// (Config::max_pending_requests, max_pending_bytes).
class Queue {
 public:
  // At most so many messages in one EnqueueBatch or DequeueBatch, or in one call that acks,
  // releases or deletes several.
  static constexpr int kMaxBatchSize = 100'000;

  const std::string& name() const;
  std::int64_t id() const;

  // Stores a message and gives its id. When this returns, the message survives the death of every
  // process and, at the default durability, the loss of power. When it throws, the message is not
  // there, unless the error says that the outcome is unknown. Throws ValidationError where payload
  // or options are outside the limits, and RateLimitedError.
  std::int64_t Enqueue(const Json& payload, const EnqueueOptions& options = {});
  Future<std::int64_t> EnqueueAsync(const Json& payload, const EnqueueOptions& options = {});

  // Stores all of the payloads or none, and gives their ids in the same order. A payload that is
  // refused is named by its position in the error.
  std::vector<std::int64_t> EnqueueBatch(std::span<const Json> payloads,
                                         const EnqueueOptions& options = {});
  Future<std::vector<std::int64_t>> EnqueueBatchAsync(std::span<const Json> payloads,
                                                      const EnqueueOptions& options = {});

  // Takes the first visible message under a lease (Config::default_lease where none is given), or
  // answers nothing, at once, where none is visible. The lease is held by the store's own worker.
  // A lease is from 1 ms to kMaxDuration (else ValidationError).
  std::optional<Message> Dequeue(std::optional<Duration> lease = {});
  Future<std::optional<Message>> DequeueAsync(std::optional<Duration> lease = {});

  // Takes up to `count` messages, 1 to kMaxBatchSize. Fewer come only where fewer are visible.
  std::vector<Message> DequeueBatch(int count, std::optional<Duration> lease = {});
  Future<std::vector<Message>> DequeueBatchAsync(int count, std::optional<Duration> lease = {});

  // The same, but waits up to `timeout` (from zero) for the first message to become visible. The
  // wait is woken by the enqueue, from whatever process, and costs next to nothing in the meantime.
  std::optional<Message> DequeueWait(Duration timeout, std::optional<Duration> lease = {});
  Future<std::optional<Message>> DequeueWaitAsync(Duration timeout,
                                                  std::optional<Duration> lease = {});
  std::vector<Message> DequeueBatchWait(int count, Duration timeout,
                                        std::optional<Duration> lease = {});
  Future<std::vector<Message>> DequeueBatchWaitAsync(int count, Duration timeout,
                                                     std::optional<Duration> lease = {});

  // Registers a worker of its own on this queue. A name has up to 255 bytes of UTF-8 (else
  // ValidationError); an empty one gets one made up.
  Consumer NewConsumer(std::string_view name = {});
  Future<Consumer> NewConsumerAsync(std::string_view name = {});

  // Counts the messages by state. Reads the queue's index, so it takes the longer the more
  // stored batches there are.
  QueueMetrics Metrics();
  Future<QueueMetrics> MetricsAsync();

  // Finished messages, or dead letters, of this queue, a page at a time.
  std::vector<MessageInfo> ListArchived(const Page& page = {});
  Future<std::vector<MessageInfo>> ListArchivedAsync(const Page& page = {});
  std::vector<MessageInfo> ListDeadLetters(const Page& page = {});
  Future<std::vector<MessageInfo>> ListDeadLettersAsync(const Page& page = {});

  // Makes dead letters visible again, under the same id and with a read count of 0: one (false
  // where it is no dead letter of this queue), or all, with their number.
  bool ReplayDeadLetter(std::int64_t message_id);
  Future<bool> ReplayDeadLetterAsync(std::int64_t message_id);
  std::int64_t ReplayDeadLetters();
  Future<std::int64_t> ReplayDeadLettersAsync();

  // Removes all dead letters with their payloads and gives their number.
  std::int64_t PurgeDeadLetters();
  Future<std::int64_t> PurgeDeadLettersAsync();

  // Removes finished messages that the policy excludes, in small transactions beside the load, and
  // gives their number. Waiting, delayed, leased and dead messages are never touched.
  std::int64_t ApplyRetention(const RetentionPolicy& policy);
  Future<std::int64_t> ApplyRetentionAsync(const RetentionPolicy& policy);

 private:
  friend struct internal::QueueAccess;
  friend class QueueWorker;
  explicit Queue(std::shared_ptr<internal::QueueCore> core) : core_(std::move(core)) {}
  const std::shared_ptr<internal::QueueCore>& core() const;

  std::shared_ptr<internal::QueueCore> core_;
};

}  // namespace pgqrs

#endif  // PGQRS_QUEUE_H_
