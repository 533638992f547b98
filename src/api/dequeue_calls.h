// The dequeues of queue handles and consumers.
#ifndef PGQRS_API_DEQUEUE_CALLS_H_
#define PGQRS_API_DEQUEUE_CALLS_H_

#include <pgqrs/future.h>
#include <pgqrs/message.h>
#include <pgqrs/time.h>

#include <memory>
#include <optional>
#include <vector>

#include "api/store_core.h"
#include "queue/request.h"

namespace pgqrs::internal {

struct DequeueArguments {
  int count = 1;
  std::optional<Duration> lease = {};
  std::optional<Duration> timeout = {};  // None: answers at once.
  std::optional<TimePoint> at = {};      // None: now.
};

// Checks the arguments and puts them into a request.
void FillDequeue(queue::DequeueRequest& request, const QueueCore& queue,
                 std::shared_ptr<queue::Worker> worker, const DequeueArguments& arguments);

// Calls that are yet to be submitted or run.
CallPtr<std::vector<Message>, queue::DequeueRequest> DequeueMany(
    const std::shared_ptr<QueueCore>& queue, std::shared_ptr<queue::Worker> worker,
    const DequeueArguments& arguments);
CallPtr<std::optional<Message>, queue::DequeueRequest> DequeueOne(
    const std::shared_ptr<QueueCore>& queue, std::shared_ptr<queue::Worker> worker,
    const DequeueArguments& arguments);

}  // namespace pgqrs::internal

#endif  // PGQRS_API_DEQUEUE_CALLS_H_
