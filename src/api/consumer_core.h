#ifndef PGQRS_API_CONSUMER_CORE_H_
#define PGQRS_API_CONSUMER_CORE_H_

#include <atomic>
#include <memory>
#include <utility>

#include "api/store_core.h"
#include "queue/request.h"

namespace pgqrs::internal {

// A registered worker of one queue.
class ConsumerCore {
 public:
  ConsumerCore(std::shared_ptr<QueueCore> queue, std::shared_ptr<queue::Worker> worker)
      : queue_(std::move(queue)), worker_(std::move(worker)) {}

  // Throw once it is closed.
  StoreCore& store() const;
  const std::shared_ptr<QueueCore>& queue() const;

  const std::shared_ptr<queue::Worker>& worker() const { return worker_; }

  // Gives back what the worker holds and leaves it Stopped. Does nothing the second time.
  Future<void> Close();

 private:
  void CheckOpen() const;

  std::shared_ptr<QueueCore> queue_;
  std::shared_ptr<queue::Worker> worker_;
  std::atomic<bool> closed_{false};
};

}  // namespace pgqrs::internal

#endif  // PGQRS_API_CONSUMER_CORE_H_
