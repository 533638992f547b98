#ifndef PGQRS_API_REGISTRATION_H_
#define PGQRS_API_REGISTRATION_H_

#include <memory>
#include <string_view>

#include "api/store_core.h"
#include "queue/request.h"

namespace pgqrs::internal {

// A worker of a queue, whose row is yet to be written (WriteWorker) and whose heartbeat
// is yet to begin (StoreCore::AddWorker). An empty name gets one made up.
std::shared_ptr<queue::Worker> NewWorker(const QueueCore& queue, std::string_view name);

// Throws QueueNotFoundError where the queue was deleted.
void WriteWorker(driver::Connection& connection, const queue::QueueRef& queue,
                 queue::Worker& worker);

}  // namespace pgqrs::internal

#endif  // PGQRS_API_REGISTRATION_H_
