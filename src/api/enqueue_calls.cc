#include "api/enqueue_calls.h"

#include <pgqrs/error.h>

#include <cstddef>
#include <string>
#include <utility>

#include "api/arguments.h"

namespace pgqrs::internal {

using queue::EnqueueRequest;

namespace {

// Names the position in the error.
void CheckPayloads(const StoreCore& store, std::span<const Json> payloads) {
  std::size_t i = 0;
  const auto placed = [&](const Error& error) {
    return "payload " + std::to_string(i) + " of the batch: " + error.what();
  };
  try {
    for (; i < payloads.size(); ++i) store.CheckPayload(payloads[i]);
  } catch (const ValidationError& error) {
    throw ValidationError(placed(error));
  } catch (const SerializationError& error) {
    throw SerializationError(placed(error));
  }
}

// Puts checked arguments into a request.
void FillEnqueue(EnqueueRequest& request, const QueueCore& queue, std::span<const Json> payloads,
                 const EnqueueOptions& options) {
  for (const auto& payload : payloads) request.bytes += payload.text().size() + sizeof(Json);
  request.queue = queue.ref();
  request.producer = queue.store().own_worker();
  request.priority = options.priority;
  request.delay = options.delay;
  request.visible_at = options.visible_at;
  request.payloads.assign(payloads.begin(), payloads.end());
}

}  // namespace

void CheckEnqueue(StoreCore& store, const Json& payload, const EnqueueOptions& options) {
  store.CheckPayload(payload);
  CheckEnqueueOptions(options);
  store.rate_limit().Take(1);
}

void CheckEnqueue(StoreCore& store, std::span<const Json> payloads, const EnqueueOptions& options) {
  CheckCount("batch size", static_cast<std::int64_t>(payloads.size()), 0, Queue::kMaxBatchSize);
  CheckPayloads(store, payloads);
  CheckEnqueueOptions(options);
  store.rate_limit().Take(payloads.size());
}

CallPtr<std::int64_t, EnqueueRequest> EnqueueOne(const QueueCore& queue, const Json& payload,
                                                 const EnqueueOptions& options) {
  auto call = queue.store().MakeCall<std::int64_t, EnqueueRequest>(
      [](EnqueueRequest& request) { return request.ids.front(); });
  CheckEnqueue(queue.store(), payload, options);
  FillEnqueue(*call, queue, std::span(&payload, 1), options);
  return call;
}

CallPtr<std::vector<std::int64_t>, EnqueueRequest> EnqueueMany(const QueueCore& queue,
                                                               std::span<const Json> payloads,
                                                               const EnqueueOptions& options) {
  auto call = queue.store().MakeCall<std::vector<std::int64_t>, EnqueueRequest>(
      [](EnqueueRequest& request) { return std::move(request.ids); });
  CheckEnqueue(queue.store(), payloads, options);
  FillEnqueue(*call, queue, payloads, options);
  return call;
}

}  // namespace pgqrs::internal
