// What the public handles share.
#ifndef PGQRS_API_STORE_CORE_H_
#define PGQRS_API_STORE_CORE_H_

#include <pgqrs/config.h>
#include <pgqrs/future.h>
#include <pgqrs/message.h>
#include <pgqrs/queue.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "api/rate_limit.h"
#include "api/run_waiters.h"
#include "api/workflow_refs.h"
#include "driver/driver.h"
#include "engine/engine.h"
#include "engine/public_error.h"
#include "queue/request.h"

namespace pgqrs::internal {

// A request that answers a future: `convert` makes the future's value from the finished request.
template <typename T, typename RequestT>
class Call final : public RequestT {
 public:
  using Result = T;
  using Convert = std::function<T(RequestT&)>;

  Call(Executor* executor, Convert convert)
      : state_(std::make_shared<FutureState<T>>(executor)), convert_(std::move(convert)) {}

  Future<T> future() const { return Future<T>(state_); }

  void Complete() override {
    if (!this->error) {
      try {
        if constexpr (std::is_void_v<T>) {
          convert_(static_cast<RequestT&>(*this));
          state_->Set();
        } else {
          state_->Set(convert_(static_cast<RequestT&>(*this)));
        }
        return;
      } catch (...) {
        this->error = engine::MakePublicError(std::current_exception());
      }
    }
    state_->Fail(std::exchange(this->error, nullptr));
  }

 private:
  std::shared_ptr<FutureState<T>> state_;
  Convert convert_;
};

template <typename T, typename RequestT>
using CallPtr = std::unique_ptr<Call<T, RequestT>>;

// Takes a step. Where it fails the work is as it was before, so that it can be repeated.
template <typename Work>
bool StepOrUndo(Work& work, driver::Connection& connection) {
  auto before = work;
  try {
    return work.Step(connection);
  } catch (...) {
    work = std::move(before);
    throw;
  }
}

// A request that calls back on the engine's thread, for the library's own use: `done` must not
// block.
template <typename RequestT>
class Hooked final : public RequestT {
 public:
  explicit Hooked(std::function<void(RequestT&)> done) : done_(std::move(done)) {}
  void Complete() override { done_(*this); }

 private:
  std::function<void(RequestT&)> done_;
};

class StoreCore : public std::enable_shared_from_this<StoreCore> {
 public:
  static std::shared_ptr<StoreCore> Open(const Config& config);

  StoreCore(const Config& config, std::unique_ptr<driver::Database> database,
            std::unique_ptr<driver::Connection> writer);
  StoreCore(const StoreCore&) = delete;
  StoreCore& operator=(const StoreCore&) = delete;

  // Throws in a forked child, inside of a transaction step, and where the schema is to be upgraded
  // first.
  void CheckUsable() const;
  void CheckNotForked() const;

  // Installs or upgrades the schema.
  Future<void> Install();

  const Config& config() const { return config_; }
  // A worker whose heartbeat is older is not a live one.
  Duration live_within() const { return 12 * config_.heartbeat_interval; }
  engine::Engine& engine() { return engine_; }
  RateLimit& rate_limit() { return rate_limit_; }
  WorkflowRefs& workflows() { return workflows_; }
  RunWaiters& run_waiters() { return run_waiters_; }
  std::string_view dialect() const { return dialect_; }
  // Throws where the store cannot take the payload.
  void CheckPayload(const Json& payload) const;
  // The same for what the code of a workflow gives: the rules for payloads do not hold for it, but
  // for their size.
  void CheckOutput(const Json& output) const;
  const std::shared_ptr<queue::Worker>& own_worker() const { return own_worker_; }

  template <typename T, typename RequestT>
  CallPtr<T, RequestT> MakeCall(typename Call<T, RequestT>::Convert convert) {
    CheckUsable();
    return std::make_unique<Call<T, RequestT>>(&engine_.callbacks(), std::move(convert));
  }

  // Hands a call to the engine: to be waited for at some time, or right here.
  template <typename T, typename RequestT>
  Future<T> Submit(CallPtr<T, RequestT> call) {
    auto future = call->future();
    engine_.Submit(std::move(call));
    return future;
  }
  // Never waits for room. For what a destructor may ask for.
  template <typename T, typename RequestT>
  Future<T> SubmitNow(CallPtr<T, RequestT> call) {
    auto future = call->future();
    engine_.SubmitNow(std::move(call));
    return future;
  }
  template <typename T, typename RequestT>
  T Run(CallPtr<T, RequestT> call) {
    auto future = call->future();
    engine_.Run(std::move(call));
    return future.Get();
  }

  // A call that runs `work.Step(connection)` in transactions of their own until it answers false.
  template <typename Work>
  CallPtr<void, queue::JobRequest> MakeSteps(Work work) {
    auto call = MakeCall<void, queue::JobRequest>([](queue::JobRequest&) {});
    call->step = [work = std::move(work)](driver::Connection& connection) mutable {
      return StepOrUndo(work, connection);
    };
    return call;
  }

  // Runs `work(connection)` in a transaction of its own.
  template <typename F>
  auto Write(F work) -> Future<std::invoke_result_t<F, driver::Connection&>>;

  // Runs the steps of `work`, as MakeSteps does. The future gives `(work.*result)()`.
  template <typename Work, typename T>
  Future<T> RunSteps(Work work, T (Work::*result)() const);

  // Runs `work(connection)` on a connection that only reads.
  template <typename F>
  auto Read(F work) -> Future<std::invoke_result_t<F, driver::Connection&>>;

  // Keeps the heartbeat of a registered worker until it is retired. Throws where the store is
  // closing. Where the store closes before that, `on_close` is called first; it must not block.
  void AddWorker(
      const std::shared_ptr<queue::Worker>& worker, std::function<void()> on_close = [] {});

  // Gives back what a worker holds and leaves it Stopped.
  Future<void> Retire(const std::shared_ptr<queue::Worker>& worker);

  // Retires all workers and closes the engine.
  void Close();

 private:
  // Goes on with the deletion of queues that another process has left half done.
  void FinishDeletions();

  // What the store does by itself again and again. `next` gives what is to be done, or nothing.
  using ChoreWork = std::function<void(driver::Connection&)>;
  struct Chore {
    Chore(Duration every, std::function<ChoreWork()> make_work)
        : interval(every), next(std::move(make_work)) {}

    const Duration interval;
    const std::function<ChoreWork()> next;
    std::atomic<bool> is_under_way = false;
  };
  void Schedule(const std::shared_ptr<Chore>& chore);
  void Start(const std::shared_ptr<Chore>& chore);
  ChoreWork Heartbeats();

  const Config config_;
  const std::uint64_t fork_generation_;
  const std::string dialect_;
  const bool is_embedded_;
  const driver::JsonCheck check_json_;
  RateLimit rate_limit_;
  WorkflowRefs workflows_;
  RunWaiters run_waiters_;
  std::mutex workers_mutex_;
  struct OpenWorker {
    std::shared_ptr<queue::Worker> worker;
    std::function<void()> on_close;
  };
  std::vector<OpenWorker> workers_;
  bool is_closing_ = false;  // Under the mutex.
  std::atomic<bool> schema_is_older_{false};
  std::shared_ptr<queue::Worker> own_worker_;
  engine::Engine engine_;
};

// What queue handles and messages share.
class QueueCore {
 public:
  QueueCore(std::shared_ptr<StoreCore> owner, std::shared_ptr<const queue::QueueRef> queue)
      : store_(std::move(owner)), ref_(std::move(queue)) {}

  StoreCore& store() const { return *store_; }
  const std::shared_ptr<StoreCore>& shared_store() const { return store_; }
  const std::shared_ptr<const queue::QueueRef>& ref() const { return ref_; }

 private:
  std::shared_ptr<StoreCore> store_;
  std::shared_ptr<const queue::QueueRef> ref_;
};

// Makes and reads the public Queue.
struct QueueAccess {
  static const std::shared_ptr<QueueCore>& Core(const Queue& queue) { return queue.core(); }
  static Queue Make(std::shared_ptr<QueueCore> core) { return Queue(std::move(core)); }
};

// Makes and reads the public Message.
struct MessageAccess {
  static Message Make(const std::shared_ptr<QueueCore>& queue, queue::TakenMessage&& taken);
  static std::vector<Message> MakeAll(const std::shared_ptr<QueueCore>& queue,
                                      std::vector<queue::TakenMessage>& taken);
  static const StoreCore& Store(const Message& message) { return message.queue()->store(); }
  static queue::SettleRequest::Target Target(const Message& message) {
    return {message.id_, message.lease_token_, message.queue()->ref()->id};
  }
};

template <typename F>
auto StoreCore::Write(F work) -> Future<std::invoke_result_t<F, driver::Connection&>> {
  using T = std::invoke_result_t<F, driver::Connection&>;
  if constexpr (std::is_void_v<T>) {
    auto call = MakeCall<void, queue::JobRequest>([](queue::JobRequest&) {});
    call->step = [work = std::move(work)](driver::Connection& connection) mutable {
      work(connection);
      return false;
    };
    return Submit(std::move(call));
  } else {
    auto result = std::make_shared<std::optional<T>>();
    auto call = MakeCall<T, queue::JobRequest>(
        [result](queue::JobRequest&) { return std::move(**result); });
    call->step = [result, work = std::move(work)](driver::Connection& connection) mutable {
      result->emplace(work(connection));
      return false;
    };
    return Submit(std::move(call));
  }
}

template <typename Work, typename T>
Future<T> StoreCore::RunSteps(Work work, T (Work::*result)() const) {
  auto shared = std::make_shared<Work>(std::move(work));
  auto call = MakeCall<T, queue::JobRequest>(
      [shared, result](queue::JobRequest&) { return ((*shared).*result)(); });
  call->step = [shared](driver::Connection& connection) { return StepOrUndo(*shared, connection); };
  return Submit(std::move(call));
}

template <typename F>
auto StoreCore::Read(F work) -> Future<std::invoke_result_t<F, driver::Connection&>> {
  using T = std::invoke_result_t<F, driver::Connection&>;
  CheckUsable();
  auto state = std::make_shared<FutureState<T>>(&engine_.callbacks());
  engine_.Read([engine = &engine_, state, work = std::move(work)](driver::Connection* connection,
                                                                  const std::exception_ptr& error) {
    if (error) {
      state->Fail(error);
      return;
    }
    std::exception_ptr failure;
    try {
      if constexpr (std::is_void_v<T>) {
        work(*connection);
        state->Set();
      } else {
        state->Set(work(*connection));
      }
      return;
    } catch (...) {
      if (engine::MayPass(std::current_exception())) throw;
      failure = engine->PublicError(std::current_exception());
    }
    // Moved, so that this thread lets go of the error before another has it.
    state->Fail(std::move(failure));
  });
  return Future<T>(std::move(state));
}

}  // namespace pgqrs::internal

#endif  // PGQRS_API_STORE_CORE_H_
