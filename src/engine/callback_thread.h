#ifndef PGQRS_ENGINE_CALLBACK_THREAD_H_
#define PGQRS_ENGINE_CALLBACK_THREAD_H_

#include <pgqrs/future.h>

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

namespace pgqrs::engine {

// Runs users' callbacks, one after another, so that they never hold up a lane. The thread is there
// from the start: where it cannot be had, whoever completes a request could not cope with that.
class CallbackThread final : public internal::Executor {
 public:
  CallbackThread();
  CallbackThread(const CallbackThread&) = delete;
  CallbackThread& operator=(const CallbackThread&) = delete;
  ~CallbackThread() override { Close(); }

  void Post(std::function<void()> callback) override;

  // Runs what was posted, and ends. Where the caller is a callback itself, the rest runs first,
  // right here, and the thread ends by itself once the caller returns.
  void Close();

  bool IsThisThread() const { return std::this_thread::get_id() == thread_.get_id(); }

 private:
  // What the thread itself needs, which may outlive this object where a callback destroys it.
  struct State {
    std::mutex mutex;
    std::condition_variable changed;
    std::deque<std::function<void()>> waiting;
    bool closed = false;
  };

  static void RunAll(State& state);
  // Waits for a callback and runs it. Answers false once closed and done.
  static bool RunNext(State& state);

  std::shared_ptr<State> state_ = std::make_shared<State>();
  std::thread thread_;
};

}  // namespace pgqrs::engine

#endif  // PGQRS_ENGINE_CALLBACK_THREAD_H_
