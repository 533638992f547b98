#include "engine/timer.h"

#include "util/thread.h"

namespace pgqrs::engine {

Timer::Timer() : thread_(util::StartThread([this] { Run(); })) {}

Timer::Id Timer::At(Time time, std::function<void()> action) {
  const std::lock_guard lock(mutex_);
  const Id id = {time, next_number_++};
  if (stopped_) return id;
  entries_.emplace(id, std::move(action));
  if (entries_.begin()->first == id) changed_.notify_one();
  return id;
}

void Timer::Cancel(const Id& id) {
  const std::lock_guard lock(mutex_);
  entries_.erase(id);
}

void Timer::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    entries_.clear();
    changed_.notify_one();
  }
  if (thread_.joinable()) thread_.join();
}

void Timer::Run() {
  std::unique_lock lock(mutex_);
  while (!stopped_) {
    if (entries_.empty()) {
      changed_.wait(lock);
      continue;
    }
    const auto first = entries_.begin();
    const auto time = first->first.first;
    if (time > std::chrono::steady_clock::now()) {
      changed_.wait_until(lock, time);
      continue;
    }
    const auto action = std::move(first->second);
    entries_.erase(first);
    lock.unlock();
    action();
    lock.lock();
  }
}

}  // namespace pgqrs::engine
