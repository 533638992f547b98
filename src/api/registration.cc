#include "api/registration.h"

#include "api/arguments.h"
#include "queue/group.h"
#include "queue/queues.h"

namespace pgqrs::internal {

std::shared_ptr<queue::Worker> NewWorker(const QueueCore& queue, std::string_view name) {
  constexpr std::size_t kMaxName = 255;
  CheckText("worker name", name, kMaxName);
  auto worker = std::make_shared<queue::Worker>();
  worker->name = name.empty() ? queue.store().own_worker()->name + "/" + queue.ref()->name : name;
  worker->queue_id = queue.ref()->id;
  return worker;
}

void WriteWorker(driver::Connection& connection, const queue::QueueRef& queue,
                 queue::Worker& worker) {
  queue::RequireOpen(connection, queue);
  queue::RegisterWorker(connection, worker);
}

}  // namespace pgqrs::internal
