#ifndef PGQRS_ENGINE_WAITERS_H_
#define PGQRS_ENGINE_WAITERS_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "engine/intake.h"
#include "queue/request.h"

namespace pgqrs::engine {

// Dequeues that found nothing and wait for a message, by queue.
class Waiters {
 public:
  // Parks a request and gives the ticket by which it can be taken out alone.
  std::uint64_t Park(RequestPtr request);

  // Each takes requests out. What is there is given once, whoever asks first.
  std::vector<RequestPtr> TakeQueue(std::int64_t queue_id);
  std::vector<RequestPtr> TakeWorker(const queue::Worker* worker);
  std::vector<RequestPtr> TakeTicket(std::uint64_t ticket);
  std::vector<RequestPtr> TakeAll();

  std::size_t size() const;

 private:
  struct Parked {
    std::uint64_t ticket;
    RequestPtr request;
  };

  template <typename Matches>
  std::vector<RequestPtr> TakeWhere(Matches matches);

  mutable std::mutex mutex_;
  std::vector<Parked> parked_;
  std::uint64_t next_ticket_ = 1;
};

}  // namespace pgqrs::engine

#endif  // PGQRS_ENGINE_WAITERS_H_
