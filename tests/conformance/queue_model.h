// What a queue means, as simply as it can be said: a row a message, and loops over all of them.
#ifndef PGQRS_TESTS_CONFORMANCE_QUEUE_MODEL_H_
#define PGQRS_TESTS_CONFORMANCE_QUEUE_MODEL_H_

#include <pgqrs/pgqrs.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace pgqrs::testing {

struct ModelMessage {
  std::int64_t id = 0;
  std::string payload;
  int priority = 5;
  TimePoint enqueued_at;

  enum class Place { kQueue, kArchive, kDeadLetters };
  Place place = Place::kQueue;

  TimePoint visible_at;  // While leased: the end of the lease.
  int lease = 0;         // 0: not leased.
  std::int64_t worker_id = 0;
  int read_count = 0;
  std::optional<TimePoint> dequeued_at;
  std::optional<TimePoint> archived_at;
  std::string reason;
  std::string last_error;
};

class QueueModel {
 public:
  explicit QueueModel(int max_read_ct) : max_read_ct_(max_read_ct) {}

  // A new message, under the id that the queue gave it.
  void Add(std::int64_t id, const std::string& payload, int priority, TimePoint now,
           TimePoint visible_at);

  // A message that a dequeue takes, as it is from then on, and since when it was visible.
  struct Taken {
    ModelMessage message;
    TimePoint was_visible_at;
  };
  std::vector<Taken> Dequeue(int count, std::int64_t worker_id, TimePoint now, Duration lease);

  // Act on a message under a lease, or under whatever lease the worker has where that is 0. They
  // answer whether that is the current one.
  struct Target {
    std::int64_t id = 0;
    int lease = 0;
    std::int64_t worker_id = 0;
  };
  bool Ack(const Target& target, TimePoint now);
  bool DeadLetter(const Target& target, TimePoint now, const std::string& reason);
  bool Release(const Target& target, TimePoint visible_at, const std::string& error);
  bool Extend(const Target& target, TimePoint end);
  bool Delete(const Target& target);

  bool Replay(std::int64_t id, TimePoint now);
  std::int64_t ReplayAll(TimePoint now);
  std::int64_t PurgeDeadLetters();
  std::int64_t Purge(TimePoint now);
  void ReleaseWorker(std::int64_t worker_id, TimePoint now);

  // Messages that have been read too often and are visible again. A dequeue moves them to the dead
  // letters where it meets them on its way; those behind its last message it may move or leave.
  std::vector<std::int64_t> Exhausted(TimePoint now) const;
  void MoveToDeadLetters(std::int64_t id, TimePoint now);

  MessageState StateOf(const ModelMessage& message, TimePoint now) const;
  const std::map<std::int64_t, ModelMessage>& messages() const { return messages_; }

 private:
  ModelMessage* Current(const Target& target);
  void Finish(ModelMessage& message, ModelMessage::Place place, TimePoint now);

  const int max_read_ct_;
  int last_lease_ = 0;
  std::map<std::int64_t, ModelMessage> messages_;  // By id. What was deleted or purged is gone.
};

}  // namespace pgqrs::testing

#endif  // PGQRS_TESTS_CONFORMANCE_QUEUE_MODEL_H_
