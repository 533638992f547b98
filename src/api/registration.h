#ifndef PGQRS_API_REGISTRATION_H_
#define PGQRS_API_REGISTRATION_H_

#include <functional>
#include <memory>
#include <string_view>

#include "api/store_core.h"
#include "queue/request.h"

namespace pgqrs::internal {

// Writes the row of a worker of a queue and starts its heartbeat; see StoreCore::AddWorker. An
// empty name gets one made up. Waits for the database.
std::shared_ptr<queue::Worker> RegisterWorker(
    const QueueCore& queue, std::string_view name, std::function<void()> on_close = [] {});

}  // namespace pgqrs::internal

#endif  // PGQRS_API_REGISTRATION_H_
