#ifndef PGQRS_QUEUE_ENQUEUE_H_
#define PGQRS_QUEUE_ENQUEUE_H_

#include <compare>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "queue/group.h"
#include "queue/request.h"

namespace pgqrs::queue {

// Stores the payloads of all requests of a group. Those that share queue, priority, visible time
// and producer share batches, whatever request they came in.
class EnqueueStep {
 public:
  explicit EnqueueStep(Group& group) : group_(group) {}

  void Run(const std::vector<EnqueueRequest*>& requests);

 private:
  // What the messages of a batch have in common.
  struct Kind {
    std::int64_t queue_id;
    int priority;
    std::int64_t visible_at;
    std::int64_t producer;

    // NOLINTNEXTLINE(modernize-use-nullptr): what the compiler makes of it, as clang-tidy sees it.
    friend auto operator<=>(const Kind&, const Kind&) = default;
  };

  // A batch that still has room, or is yet to begin.
  struct OpenBatch {
    std::int64_t id = 0;
    int n = 0;
    std::string payloads;
  };

  Kind KindOf(const EnqueueRequest& request);
  std::int64_t Append(const Kind& kind, OpenBatch& batch, const std::string& payload);
  void Store(const Kind& kind, OpenBatch& batch);

  Group& group_;
  std::map<Kind, OpenBatch> open_;
};

}  // namespace pgqrs::queue

#endif  // PGQRS_QUEUE_ENQUEUE_H_
