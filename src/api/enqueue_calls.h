// Enqueues: what is checked, and the calls of queue handles.
#ifndef PGQRS_API_ENQUEUE_CALLS_H_
#define PGQRS_API_ENQUEUE_CALLS_H_

#include <pgqrs/json.h>
#include <pgqrs/queue.h>

#include <cstdint>
#include <span>
#include <vector>

#include "api/store_core.h"
#include "queue/request.h"

namespace pgqrs::internal {

// Checks what is to be enqueued, and takes its part of the rate limit. An error of one of several
// payloads names its position.
void CheckEnqueue(StoreCore& store, const Json& payload, const EnqueueOptions& options);
void CheckEnqueue(StoreCore& store, std::span<const Json> payloads, const EnqueueOptions& options);

// Calls that are yet to be submitted or run.
CallPtr<std::int64_t, queue::EnqueueRequest> EnqueueOne(const QueueCore& queue, const Json& payload,
                                                        const EnqueueOptions& options);
CallPtr<std::vector<std::int64_t>, queue::EnqueueRequest> EnqueueMany(
    const QueueCore& queue, std::span<const Json> payloads, const EnqueueOptions& options);

}  // namespace pgqrs::internal

#endif  // PGQRS_API_ENQUEUE_CALLS_H_
