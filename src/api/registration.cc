#include "api/registration.h"

#include <utility>

#include "api/arguments.h"
#include "queue/group.h"
#include "queue/queues.h"

namespace pgqrs::internal {

std::shared_ptr<queue::Worker> RegisterWorker(const QueueCore& queue, std::string_view name,
                                              std::function<void()> on_close) {
  constexpr std::size_t kMaxName = 255;
  CheckText("worker name", name, kMaxName);
  auto& store = queue.store();
  auto worker = std::make_shared<queue::Worker>();
  worker->name = name.empty() ? store.own_worker()->name + "/" + queue.ref()->name : name;
  worker->queue_id = queue.ref()->id;
  store
      .Write([worker, ref = queue.ref()](driver::Connection& connection) {
        queue::RequireOpen(connection, *ref);
        queue::RegisterWorker(connection, *worker);
      })
      .Get();
  store.AddWorker(worker, std::move(on_close));
  return worker;
}

}  // namespace pgqrs::internal
