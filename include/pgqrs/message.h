// A message that was dequeued.
#ifndef PGQRS_MESSAGE_H_
#define PGQRS_MESSAGE_H_

#include <pgqrs/future.h>
#include <pgqrs/json.h>
#include <pgqrs/time.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace pgqrs {

namespace internal {
class QueueCore;
struct MessageAccess;
}  // namespace internal

// One message under a lease: until lease_end() nobody else gets it.
//
// The calls below act on the message through that lease. They answer true where the lease was
// still the current one, and false, with nothing changed, where it was not: because it ran out and
// another consumer has the message now, or because the message was acked, released or deleted
// before. A lease that ran out with nobody else taking the message is still current.
//
// A Message is a value and may be moved to and used from any thread; one object must not be used by
// two threads at once. It may outlive its store, whose calls then throw.
class Message {
 public:
  Message(Message&&) noexcept = default;
  Message& operator=(Message&&) noexcept = default;
  Message(const Message&) = default;
  Message& operator=(const Message&) = default;
  ~Message() = default;

  // Unique in the database, never used twice (but for ids that a loss of power took back at
  // synchronous=normal), increasing in the order of a producer's enqueues;
  // not dense. Below 2^53.
  std::int64_t id() const { return id_; }

  const Json& payload() const { return payload_; }

  // How often the message was handed out, this time included: 1 at the first delivery.
  int read_count() const { return read_count_; }

  // 0 (first) to 9.
  int priority() const { return priority_; }

  const std::string& queue_name() const;

  TimePoint enqueued_at() const { return enqueued_at_; }

  // Since when the message could be dequeued.
  TimePoint visible_at() const { return visible_at_; }

  // When it was handed out, and when its lease ends unless it is extended.
  TimePoint dequeued_at() const { return dequeued_at_; }
  TimePoint lease_end() const { return lease_end_; }

  // The ids of the worker that enqueued it (0 where it was inserted by SQL) and the one that holds
  // it.
  std::int64_t producer_worker_id() const { return producer_worker_id_; }
  std::int64_t worker_id() const { return worker_id_; }

  // Finishes the message: it moves to the archive and is never handed out again.
  bool Ack();
  Future<bool> AckAsync();

  // Gives it back, visible again after `delay` (zero or less: at once), behind what is visible
  // already. The read count stays raised. `error` is kept with the message and shown with it in the
  // dead letters, should it end there.
  bool Release(Duration delay = Duration::zero(), std::string_view error = {});
  Future<bool> ReleaseAsync(Duration delay = Duration::zero(), std::string_view error = {});

  // The same for a message that nobody has looked at, or that is to come again without fault of
  // its own: this read does not count.
  bool ReleaseUnread(Duration delay = Duration::zero());
  Future<bool> ReleaseUnreadAsync(Duration delay = Duration::zero());

  // Sets the end of the lease to now + `lease` (from 1 ms), which may also be sooner than before.
  // lease_end() of this object follows where the answer is true (of ExtendLease, not of the Async
  // form).
  bool ExtendLease(Duration lease);
  Future<bool> ExtendLeaseAsync(Duration lease);

  // Removes the message with its payload.
  bool Delete();
  Future<bool> DeleteAsync();

  // Puts the message to the dead letters, with the reason, from which it can be replayed. A reason,
  // like the error of a release, has at most 64 KiB of UTF-8 without U+0000 (else ValidationError).
  bool DeadLetter(std::string_view reason);
  Future<bool> DeadLetterAsync(std::string_view reason);

 private:
  friend struct internal::MessageAccess;
  Message() = default;
  const std::shared_ptr<internal::QueueCore>& queue() const;

  std::shared_ptr<internal::QueueCore> queue_;
  std::int64_t id_ = 0;
  std::int64_t lease_token_ = 0;
  std::int64_t worker_id_ = 0;
  std::int64_t producer_worker_id_ = 0;
  int read_count_ = 0;
  int priority_ = 0;
  TimePoint enqueued_at_;
  TimePoint visible_at_;
  TimePoint dequeued_at_;
  TimePoint lease_end_;
  Json payload_;
};

}  // namespace pgqrs

#endif  // PGQRS_MESSAGE_H_
