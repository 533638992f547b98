#include <pgqrs/error.h>
#include <pgqrs/postgres.h>

#include <exception>

#include "api/enqueue_calls.h"
#include "api/store_core.h"
#include "driver/postgres/caller_connection.h"
#include "engine/public_error.h"

namespace pgqrs {
namespace {

internal::StoreCore& StoreOf(const Queue& queue) {
  auto& store = internal::QueueAccess::Core(queue)->store();
  store.CheckUsable();
  if (store.dialect() == "postgres") return store;
  throw ValidationError("queue: its store is not on Postgres");
}

std::vector<std::int64_t> Send(pg_conn* connection, const Queue& queue,
                               std::span<const Json> payloads, const EnqueueOptions& options) {
  const auto& core = *internal::QueueAccess::Core(queue);
  try {
    return driver::EnqueueOn(connection, core.store().config(),
                             {.queue = core.ref()->name,
                              .payloads = payloads,
                              .delay = options.delay,
                              .visible_at = options.visible_at,
                              .priority = options.priority});
  } catch (...) {
    std::rethrow_exception(engine::MakePublicError(std::current_exception()));
  }
}

}  // namespace

std::int64_t EnqueueIn(pg_conn* connection, const Queue& queue, const Json& payload,
                       const EnqueueOptions& options) {
  auto& store = StoreOf(queue);
  driver::RequireTransaction(connection);
  internal::CheckEnqueue(store, payload, options);
  return Send(connection, queue, std::span(&payload, 1), options).at(0);
}

std::vector<std::int64_t> EnqueueBatchIn(pg_conn* connection, const Queue& queue,
                                         std::span<const Json> payloads,
                                         const EnqueueOptions& options) {
  auto& store = StoreOf(queue);
  driver::RequireTransaction(connection);
  internal::CheckEnqueue(store, payloads, options);
  return Send(connection, queue, payloads, options);
}

}  // namespace pgqrs
