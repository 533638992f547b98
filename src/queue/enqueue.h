#ifndef PGQRS_QUEUE_ENQUEUE_H_
#define PGQRS_QUEUE_ENQUEUE_H_

#include <cstdint>
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
  // A batch that still has room.
  struct OpenBatch {
    std::int64_t queue_id;
    int priority;
    std::int64_t visible_at;
    std::int64_t producer;
    std::int64_t id = 0;
    int n = 0;
    std::string payloads;
  };

  OpenBatch& BatchFor(const EnqueueRequest& request);
  std::int64_t Append(OpenBatch& batch, const std::string& payload);
  void Store(OpenBatch& batch);

  Group& group_;
  std::vector<OpenBatch> open_;
};

}  // namespace pgqrs::queue

#endif  // PGQRS_QUEUE_ENQUEUE_H_
