// The result of a call that has not finished yet.
#ifndef PGQRS_FUTURE_H_
#define PGQRS_FUTURE_H_

#include <atomic>
#include <cassert>
#include <coroutine>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

namespace pgqrs {

template <typename T>
class Future;

namespace internal {

// Throws Error: `call` was called on a future that has no result to give any more.
[[noreturn]] void ThrowFutureTaken(const char* call);

// Runs callbacks on a thread of its own.
class Executor {
 public:
  virtual ~Executor() = default;
  virtual void Post(std::function<void()> callback) = 0;
};

// What a promise and its future share. One thread completes it, once, and keeps it alive meanwhile;
// one waits or sets one callback.
class FutureStateBase {
 public:
  // Callbacks run on `executor`, which must outlive the completion; without one, on the completing
  // thread.
  explicit FutureStateBase(Executor* executor) : executor_(executor) {}
  FutureStateBase(const FutureStateBase&) = delete;
  FutureStateBase& operator=(const FutureStateBase&) = delete;

  bool IsReady() const { return status_.load(std::memory_order_acquire) == kReady; }

  void Wait();

  // Calls back when the result is there; at once, on this thread, where it is there already.
  void OnReady(std::function<void()> callback) {
    if (!OnReadyLater(std::move(callback))) RunCallback();
  }

  // The same, but calls `offer` first, on the completing thread. Where that answers true there is
  // no callback.
  void OnReady(std::function<bool()> offer, std::function<void()> callback) {
    offer_ = std::move(offer);
    if (!OnReadyLater(std::move(callback)) && !IsAccepted()) RunCallback();
  }

  // The same, but answers false, and never calls back, where the result is there already.
  bool OnReadyLater(std::function<void()> callback) {
    callback_ = std::move(callback);
    auto expected = kPending;
    return status_.compare_exchange_strong(expected, kHasCallback, std::memory_order_acq_rel);
  }

  void Fail(std::exception_ptr error) {
    error_ = std::move(error);
    MarkReady();
  }

 protected:
  ~FutureStateBase() = default;

  void MarkReady() {
    const auto before = status_.exchange(kReady, std::memory_order_acq_rel);
    assert(before != kReady);
    if (before == kHasWaiter) WakeWaiter();
    if (before != kHasCallback || IsAccepted()) return;
    if (executor_ != nullptr) {
      executor_->Post(std::move(callback_));
    } else {
      RunCallback();
    }
  }

  // Hands the error over, so that it ends on the thread that took it.
  void RethrowError() {
    if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
  }

 private:
  static constexpr std::uint32_t kPending = 0;
  static constexpr std::uint32_t kHasCallback = 1;
  static constexpr std::uint32_t kHasWaiter = 2;
  static constexpr std::uint32_t kReady = 3;

  void WakeWaiter();
  bool IsAccepted() {
    const auto offer = std::exchange(offer_, nullptr);
    if (!offer || !offer()) return false;
    callback_ = nullptr;
    return true;
  }
  void RunCallback() { std::exchange(callback_, nullptr)(); }

  std::atomic<std::uint32_t> status_{kPending};
  Executor* executor_;
  std::function<bool()> offer_;
  std::function<void()> callback_;
  std::exception_ptr error_;
};

template <typename T>
class FutureState final : public FutureStateBase {
 public:
  using FutureStateBase::FutureStateBase;

  void Set(T value) {
    value_.emplace(std::move(value));
    MarkReady();
  }

  T Take() {
    RethrowError();
    return std::move(*value_);
  }

 private:
  std::optional<T> value_;
};

template <>
class FutureState<void> final : public FutureStateBase {
 public:
  using FutureStateBase::FutureStateBase;

  void Set() { MarkReady(); }
  void Take() { RethrowError(); }
};

// The part of a coroutine's promise that depends on what the coroutine returns.
template <typename T>
struct CoroutineResult {
  std::shared_ptr<FutureState<T>> state = std::make_shared<FutureState<T>>(nullptr);
  void return_value(T value) { state->Set(std::move(value)); }
};

template <>
struct CoroutineResult<void> {
  std::shared_ptr<FutureState<void>> state = std::make_shared<FutureState<void>>(nullptr);
  void return_void() { state->Set(); }
};

}  // namespace internal

// The result of an …Async call. There are four ways to get at it, of which one is used, once:
//
//   T value = future.Get();                                   // waits
//   future.Then([](Future<T> done) { use(done.Get()); });     // calls back
//   T value = co_await std::move(future);                     // suspends a coroutine
//   future.Offer(offer, callback);                            // tells another event loop
//
// Each gives the value or throws the error of the call. Callbacks and resumed coroutines run on one
// thread of the store that does nothing else: they may use the store, calls that wait for the
// database included. They must not wait, by Get or Wait, for a coroutine or for a Future that Then
// gave, which would need the same thread: use co_await or Then for these. What runs long delays the
// others. No lock is held while they run. A future that is dropped leaves the call itself
// untouched.
//
// A Future is also what a coroutine may return: `Future<int> Work(Queue queue) { … co_return 1; }`
// runs until its first suspension on the caller's thread.
//
// Get, Wait, Then, Offer and co_await must not be called by two threads at once on the same object.
template <typename T>
class Future {
 public:
  // For internal use: the library makes futures, users receive them.
  explicit Future(std::shared_ptr<internal::FutureState<T>> state) : state_(std::move(state)) {}

  Future(Future&&) noexcept = default;
  Future& operator=(Future&&) noexcept = default;

  // False once the result was taken or the future was moved from. Everything else throws Error
  // then.
  bool IsValid() const { return state_ != nullptr; }

  // True where Get would not wait.
  bool IsReady() const { return State("IsReady")->IsReady(); }

  // Waits until the result is there, without taking it.
  void Wait() const { State("Wait")->Wait(); }

  // Waits for the result and takes it: the value, or the error as an exception.
  T Get() {
    State("Get")->Wait();
    return std::exchange(state_, nullptr)->Take();
  }

  // Calls `callback` with this future, ready, when the result is there: on the store's callback
  // thread, or at once on this one where it is there already. Gives the future of what the callback
  // returns or throws.
  template <typename F>
  auto Then(F callback) -> Future<std::invoke_result_t<F, Future<T>>> {
    using Result = std::invoke_result_t<F, Future<T>>;
    State("Then");
    auto next = std::make_shared<internal::FutureState<Result>>(nullptr);
    auto state = std::exchange(state_, nullptr);
    auto* waiting = state.get();
    auto function = std::make_shared<F>(std::move(callback));  // std::function has to copy it.
    waiting->OnReady([state = std::move(state), next, function]() mutable {
      std::exception_ptr error;
      try {
        if constexpr (std::is_void_v<Result>) {
          (*function)(Future(std::move(state)));
          next->Set();
        } else {
          next->Set((*function)(Future(std::move(state))));
        }
        return;
      } catch (...) {
        error = std::current_exception();
      }
      next->Fail(std::move(error));
    });
    return Future<Result>(std::move(next));
  }

  // For event loops, which have a thread of their own and need no detour over the store's callback
  // thread. Calls `offer` with this future, ready, on the thread that completed the call, which
  // others wait for: it must not block, throw or use the store, but may move the future to wherever
  // its result is to be taken, and answers true then. Where it answers false `callback` gets the
  // future, as by Then.
  template <typename Taker, typename F>
  void Offer(Taker offer, F callback) {
    static_assert(std::is_same_v<std::invoke_result_t<Taker&, Future&>, bool>);
    State("Offer");
    auto state = std::exchange(state_, nullptr);
    auto* waiting = state.get();
    waiting->OnReady(
        [state, offer = std::move(offer)]() mutable {
          Future future(state);
          return offer(future);
        },
        [state, callback = std::move(callback)]() mutable { callback(Future(std::move(state))); });
  }

  class Awaiter {
   public:
    explicit Awaiter(std::shared_ptr<internal::FutureState<T>> state) : state_(std::move(state)) {}
    bool await_ready() const { return state_->IsReady(); }
    // Answers false where the result has come since await_ready, so that the coroutine goes on
    // where it is instead of being resumed from within itself, deeper on the stack each time.
    bool await_suspend(std::coroutine_handle<> coroutine) {
      return state_->OnReadyLater(coroutine);
    }
    T await_resume() { return state_->Take(); }

   private:
    std::shared_ptr<internal::FutureState<T>> state_;
  };
  Awaiter operator co_await() {
    State("co_await");
    return Awaiter(std::exchange(state_, nullptr));
  }

  struct promise_type : internal::CoroutineResult<T> {
    Future get_return_object() { return Future(this->state); }
    std::suspend_never initial_suspend() const noexcept { return {}; }
    std::suspend_never final_suspend() noexcept {
      if (error) this->state->Fail(std::move(error));
      return {};
    }
    void unhandled_exception() { error = std::current_exception(); }

    std::exception_ptr error;
  };

 private:
  const std::shared_ptr<internal::FutureState<T>>& State(const char* call) const {
    if (!state_) internal::ThrowFutureTaken(call);
    return state_;
  }

  std::shared_ptr<internal::FutureState<T>> state_;
};

}  // namespace pgqrs

#endif  // PGQRS_FUTURE_H_
