#include "engine/callback_thread.h"

#include <utility>

namespace pgqrs::engine {

void CallbackThread::Post(std::function<void()> callback) {
  const std::lock_guard lock(state_->mutex);
  if (!thread_.joinable() && !state_->closed) {
    thread_ = std::thread([state = state_] { RunAll(*state); });
  }
  state_->waiting.push_back(std::move(callback));
  state_->changed.notify_one();
}

bool CallbackThread::RunWaiting(State& state) {
  std::vector<std::function<void()>> callbacks;
  {
    std::unique_lock lock(state.mutex);
    state.changed.wait(lock, [&] { return !state.waiting.empty() || state.closed; });
    callbacks.swap(state.waiting);
  }
  for (auto& callback : callbacks) {
    callback();
    callback = nullptr;  // What it holds may be the last reference to a store.
  }
  return !callbacks.empty();
}

void CallbackThread::RunAll(State& state) {
  while (RunWaiting(state)) {
  }
}

void CallbackThread::Close() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->closed = true;
    state_->changed.notify_one();
  }
  if (!thread_.joinable()) {
    RunAll(*state_);
  } else if (IsThisThread()) {
    RunAll(*state_);
    thread_.detach();
  } else {
    thread_.join();
  }
}

}  // namespace pgqrs::engine
