#include "engine/waiters.h"

#include <algorithm>
#include <utility>

namespace pgqrs::engine {
namespace {

const queue::DequeueRequest& AsDequeue(const RequestPtr& request) {
  return static_cast<const queue::DequeueRequest&>(*request);
}

}  // namespace

std::uint64_t Waiters::Park(RequestPtr request) {
  const std::lock_guard lock(mutex_);
  parked_.push_back({next_ticket_, std::move(request)});
  return next_ticket_++;
}

template <typename Matches>
std::vector<RequestPtr> Waiters::TakeWhere(Matches matches) {
  const std::lock_guard lock(mutex_);
  const auto first = std::stable_partition(parked_.begin(), parked_.end(),
                                           [&](const Parked& parked) { return !matches(parked); });
  std::vector<RequestPtr> taken;
  for (auto it = first; it != parked_.end(); ++it) taken.push_back(std::move(it->request));
  parked_.erase(first, parked_.end());
  return taken;
}

std::vector<RequestPtr> Waiters::TakeQueue(std::int64_t queue_id) {
  return TakeWhere(
      [&](const Parked& parked) { return AsDequeue(parked.request).queue->id == queue_id; });
}

std::vector<RequestPtr> Waiters::TakeWorker(const queue::Worker* worker) {
  return TakeWhere(
      [&](const Parked& parked) { return AsDequeue(parked.request).worker.get() == worker; });
}

std::vector<RequestPtr> Waiters::TakeTicket(std::uint64_t ticket) {
  return TakeWhere([&](const Parked& parked) { return parked.ticket == ticket; });
}

std::vector<RequestPtr> Waiters::TakeAll() {
  return TakeWhere([](const Parked&) { return true; });
}

std::size_t Waiters::size() const {
  const std::lock_guard lock(mutex_);
  return parked_.size();
}

}  // namespace pgqrs::engine
