#ifndef PGQRS_QUEUE_ENQUEUE_H_
#define PGQRS_QUEUE_ENQUEUE_H_

#include <compare>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "queue/group.h"
#include "queue/request.h"

namespace pgqrs::queue {

// What the messages of a batch have in common. Visible at a time, or after a delay, or at once.
struct BatchKind {
  std::int64_t queue_id;
  int priority;
  std::optional<std::int64_t> visible_at;
  std::optional<std::int64_t> delay;
  std::int64_t producer;

  // NOLINTNEXTLINE(modernize-use-nullptr): what the compiler makes of it, as clang-tidy sees it.
  friend auto operator<=>(const BatchKind&, const BatchKind&) = default;
};

struct NewBatch {
  std::int64_t id = 0;
  int n = 0;
  std::string payloads;
};

// Makes batches of the payloads of all requests of a group. Those that share queue, priority,
// visible time and producer share batches, whatever request they came in.
class BatchFormer {
 public:
  // `store` gets each batch once, when it is complete.
  BatchFormer(Group& group, std::function<void(const BatchKind&, NewBatch&&)> store)
      : group_(group), store_(std::move(store)) {}

  // Gives the request its ids.
  void Add(EnqueueRequest& request);

  // No request follows.
  void Finish();

 private:
  std::int64_t Append(const BatchKind& kind, NewBatch& batch, const std::string& payload);
  void Store(const BatchKind& kind, NewBatch& batch);

  Group& group_;
  const std::function<void(const BatchKind&, NewBatch&&)> store_;
  std::map<BatchKind, NewBatch> open_;
};

// Stores the payloads of all requests of a group, batch by batch.
class EnqueueStep {
 public:
  explicit EnqueueStep(Group& group) : group_(group) {}

  void Run(const std::vector<EnqueueRequest*>& requests);

 private:
  void Store(const BatchKind& kind, const NewBatch& batch);
  void StoreRuns(const EnqueueRequest& request);

  Group& group_;
};

}  // namespace pgqrs::queue

#endif  // PGQRS_QUEUE_ENQUEUE_H_
