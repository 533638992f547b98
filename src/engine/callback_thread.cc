#include "engine/callback_thread.h"

#include <utility>

#include "util/thread.h"

namespace pgqrs::engine {

CallbackThread::CallbackThread()
    : thread_(util::StartThread([state = state_] { RunAll(*state); })) {}

void CallbackThread::Post(std::function<void()> callback) {
  const std::lock_guard lock(state_->mutex);
  state_->waiting.push_back(std::move(callback));
  state_->changed.notify_one();
}

// One at a time, so that a callback which closes the thread finds all that are left.
bool CallbackThread::RunNext(State& state) {
  std::function<void()> callback;
  {
    std::unique_lock lock(state.mutex);
    state.changed.wait(lock, [&] { return !state.waiting.empty() || state.closed; });
    if (state.waiting.empty()) return false;
    callback = std::move(state.waiting.front());
    state.waiting.pop_front();
  }
  callback();
  return true;  // What the callback holds goes now; it may be the last reference to a store.
}

void CallbackThread::RunAll(State& state) {
  while (RunNext(state)) {
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
