#include "api/dequeue_calls.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "api/arguments.h"
#include "queue/rows.h"

namespace pgqrs::internal {

using queue::DequeueRequest;

void FillDequeue(DequeueRequest& request, const QueueCore& queue,
                 std::shared_ptr<queue::Worker> worker, const DequeueArguments& arguments) {
  CheckCount("count", arguments.count, 1, Queue::kMaxBatchSize);
  request.queue = queue.ref();
  request.worker = std::move(worker);
  request.count = arguments.count;
  request.lease = arguments.lease.value_or(queue.store().config().default_lease);
  CheckLease(request.lease);
  if (arguments.timeout) {
    CheckDuration("timeout", *arguments.timeout, Duration::zero());
    request.wait_until = std::chrono::steady_clock::now() + *arguments.timeout;
  }
  if (arguments.at) {
    CheckTime("at", *arguments.at);
    CheckTime("at + lease", *arguments.at + request.lease);
    request.at = std::max(*arguments.at, TimePoint());  // No message is older.
  }
}

CallPtr<std::vector<Message>, DequeueRequest> DequeueMany(const std::shared_ptr<QueueCore>& queue,
                                                          std::shared_ptr<queue::Worker> worker,
                                                          const DequeueArguments& arguments) {
  auto call = queue->store().MakeCall<std::vector<Message>, DequeueRequest>(
      [queue](DequeueRequest& request) { return MessageAccess::MakeAll(queue, request.taken); });
  FillDequeue(*call, *queue, std::move(worker), arguments);
  return call;
}

CallPtr<std::optional<Message>, DequeueRequest> DequeueOne(const std::shared_ptr<QueueCore>& queue,
                                                           std::shared_ptr<queue::Worker> worker,
                                                           const DequeueArguments& arguments) {
  auto call = queue->store().MakeCall<std::optional<Message>, DequeueRequest>(
      [queue](DequeueRequest& request) -> std::optional<Message> {
        if (request.taken.empty()) return std::nullopt;
        return MessageAccess::Make(queue, std::move(request.taken.front()));
      });
  FillDequeue(*call, *queue, std::move(worker), arguments);
  return call;
}

Message MessageAccess::Make(const std::shared_ptr<QueueCore>& queue, queue::TakenMessage&& taken) {
  Message message;
  message.queue_ = queue;
  message.id_ = taken.id;
  message.lease_token_ = taken.lease_token;
  message.worker_id_ = taken.worker_id;
  message.producer_worker_id_ = taken.producer_worker_id;
  message.read_count_ = taken.read_count;
  message.priority_ = taken.priority;
  message.enqueued_at_ = queue::FromMicros(taken.enqueued_at);
  message.visible_at_ = queue::FromMicros(taken.visible_at);
  message.dequeued_at_ = queue::FromMicros(taken.dequeued_at);
  message.lease_end_ = queue::FromMicros(taken.lease_end);
  message.payload_ = Json::FromTrusted(std::move(taken.payload));
  return message;
}

std::vector<Message> MessageAccess::MakeAll(const std::shared_ptr<QueueCore>& queue,
                                            std::vector<queue::TakenMessage>& taken) {
  std::vector<Message> messages;
  messages.reserve(taken.size());
  for (auto& message : taken) messages.push_back(Make(queue, std::move(message)));
  return messages;
}

}  // namespace pgqrs::internal
