// A worker that takes messages by explicit calls.
#ifndef PGQRS_CONSUMER_H_
#define PGQRS_CONSUMER_H_

#include <pgqrs/future.h>
#include <pgqrs/message.h>
#include <pgqrs/records.h>
#include <pgqrs/time.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace pgqrs {

namespace internal {
class ConsumerCore;
}  // namespace internal

// A worker with a row of its own in pgqrs_workers: a name, a state and a heartbeat, which the store
// renews while the object lives. Use it where the messages that one part of a program holds must be
// told from those of another; otherwise the calls of Queue do the same with less.
//
// It acts by message id on what it holds itself: an id that is unknown, was never leased, or is
// held by another worker answers false. Limits and errors are those of Queue and Message.
//
// Movable, not copyable; every call works from any thread.
class Consumer {
 public:
  Consumer(Consumer&&) noexcept;
  // Closes what was here before.
  Consumer& operator=(Consumer&&) noexcept;
  // Closes it, as Close does, without throwing.
  ~Consumer();

  std::int64_t worker_id() const;

  // As the calls of Queue.
  std::optional<Message> Dequeue(std::optional<Duration> lease = {});
  Future<std::optional<Message>> DequeueAsync(std::optional<Duration> lease = {});
  std::vector<Message> DequeueBatch(int count, std::optional<Duration> lease = {});
  Future<std::vector<Message>> DequeueBatchAsync(int count, std::optional<Duration> lease = {});
  std::optional<Message> DequeueWait(Duration timeout, std::optional<Duration> lease = {});
  Future<std::optional<Message>> DequeueWaitAsync(Duration timeout,
                                                  std::optional<Duration> lease = {});
  std::vector<Message> DequeueBatchWait(int count, Duration timeout,
                                        std::optional<Duration> lease = {});
  Future<std::vector<Message>> DequeueBatchWaitAsync(int count, Duration timeout,
                                                     std::optional<Duration> lease = {});

  // As DequeueBatch if it were this time: takes what is visible then, so also delayed messages and
  // those of leases that end before, and the lease counts from then. For tests of what happens
  // later, and for who keeps a clock of his own. ValidationError for a time after the year 9999.
  std::vector<Message> DequeueBatchAt(int count, TimePoint at, std::optional<Duration> lease = {});
  Future<std::vector<Message>> DequeueBatchAtAsync(int count, TimePoint at,
                                                   std::optional<Duration> lease = {});

  // As the calls of Message, by id. Answers are in the order of the ids.
  bool Ack(std::int64_t message_id);
  Future<bool> AckAsync(std::int64_t message_id);
  std::vector<bool> Ack(std::span<const std::int64_t> message_ids);
  Future<std::vector<bool>> AckAsync(std::span<const std::int64_t> message_ids);
  bool Release(std::int64_t message_id, Duration delay = Duration::zero());
  Future<bool> ReleaseAsync(std::int64_t message_id, Duration delay = Duration::zero());
  std::vector<bool> Release(std::span<const std::int64_t> message_ids,
                            Duration delay = Duration::zero());
  Future<std::vector<bool>> ReleaseAsync(std::span<const std::int64_t> message_ids,
                                         Duration delay = Duration::zero());
  bool ReleaseUnread(std::int64_t message_id, Duration delay = Duration::zero());
  Future<bool> ReleaseUnreadAsync(std::int64_t message_id, Duration delay = Duration::zero());
  // Gives it back, visible again at this time by the clock that decides; at once where it is past.
  bool ReleaseUntil(std::int64_t message_id, TimePoint visible_at);
  Future<bool> ReleaseUntilAsync(std::int64_t message_id, TimePoint visible_at);
  bool ExtendLease(std::int64_t message_id, Duration lease);
  Future<bool> ExtendLeaseAsync(std::int64_t message_id, Duration lease);
  bool Delete(std::int64_t message_id);
  Future<bool> DeleteAsync(std::int64_t message_id);
  std::vector<bool> Delete(std::span<const std::int64_t> message_ids);
  Future<std::vector<bool>> DeleteAsync(std::span<const std::int64_t> message_ids);
  bool DeadLetter(std::int64_t message_id, std::string_view reason);
  Future<bool> DeadLetterAsync(std::int64_t message_id, std::string_view reason);

  // The state as it is in the database.
  WorkerStatus Status();
  Future<WorkerStatus> StatusAsync();

  // Moves to another state. StateTransitionError where that is none of
  //   Ready → Polling, Suspended       Polling → Ready, Interrupted
  //   Interrupted → Suspended          Suspended → Ready, Stopped
  void SetStatus(WorkerStatus status);
  Future<void> SetStatusAsync(WorkerStatus status);

  // Gives back what the worker holds and leaves it Stopped. Later calls throw, but
  // for Close itself, which does nothing then.
  void Close();
  Future<void> CloseAsync();

 private:
  friend class Queue;
  explicit Consumer(std::shared_ptr<internal::ConsumerCore> core);
  const std::shared_ptr<internal::ConsumerCore>& core() const;

  std::shared_ptr<internal::ConsumerCore> core_;
};

}  // namespace pgqrs

#endif  // PGQRS_CONSUMER_H_
