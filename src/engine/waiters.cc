#include "engine/waiters.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace pgqrs::engine {
namespace {

using queue::DequeueRequest;

const DequeueRequest& AsDequeue(const RequestPtr& request) {
  return static_cast<const DequeueRequest&>(*request);
}

}  // namespace

void Waiters::Park(RequestPtr request) {
  const std::lock_guard lock(mutex_);
  parked_.push_back(std::move(request));
}

template <typename Matches>
std::vector<RequestPtr> Waiters::TakeWhere(Matches matches) {
  const std::lock_guard lock(mutex_);
  const auto first = std::stable_partition(
      parked_.begin(), parked_.end(),
      [&](const RequestPtr& request) { return !matches(AsDequeue(request)); });
  std::vector<RequestPtr> taken(std::make_move_iterator(first),
                                std::make_move_iterator(parked_.end()));
  parked_.erase(first, parked_.end());
  return taken;
}

std::vector<RequestPtr> Waiters::TakeQueue(std::int64_t queue_id) {
  return TakeWhere([&](const DequeueRequest& request) { return request.queue->id == queue_id; });
}

std::vector<RequestPtr> Waiters::TakeWorker(const queue::Worker* worker) {
  return TakeWhere([&](const DequeueRequest& request) { return request.worker.get() == worker; });
}

std::vector<RequestPtr> Waiters::TakeExpired(std::chrono::steady_clock::time_point now) {
  return TakeWhere([&](const DequeueRequest& request) { return *request.wait_until <= now; });
}

std::vector<RequestPtr> Waiters::TakeAll() {
  return TakeWhere([](const DequeueRequest&) { return true; });
}

void Waiters::NoteChange(std::int64_t queue_id) {
  const std::lock_guard lock(mutex_);
  changed_at_[queue_id] = std::chrono::steady_clock::now();
}

void Waiters::NoteChange() {
  const std::lock_guard lock(mutex_);
  any_changed_at_ = std::chrono::steady_clock::now();
}

bool Waiters::HasChangedSince(std::int64_t queue_id,
                              std::chrono::steady_clock::time_point looked_at) const {
  const std::lock_guard lock(mutex_);
  const auto changed = changed_at_.find(queue_id);
  return any_changed_at_ >= looked_at ||
         (changed != changed_at_.end() && changed->second >= looked_at);
}

std::vector<std::int64_t> Waiters::Queues() const {
  std::vector<std::int64_t> queues;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& request : parked_) queues.push_back(AsDequeue(request).queue->id);
  }
  std::sort(queues.begin(), queues.end());
  queues.erase(std::unique(queues.begin(), queues.end()), queues.end());
  return queues;
}

std::optional<std::chrono::steady_clock::time_point> Waiters::FirstDeadline() const {
  const std::lock_guard lock(mutex_);
  auto first = std::chrono::steady_clock::time_point::max();
  for (const auto& request : parked_) first = std::min(first, *AsDequeue(request).wait_until);
  if (first == std::chrono::steady_clock::time_point::max()) return std::nullopt;
  return first;
}

std::size_t Waiters::size() const {
  const std::lock_guard lock(mutex_);
  return parked_.size();
}

}  // namespace pgqrs::engine
