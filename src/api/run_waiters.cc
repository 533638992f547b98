#include "api/run_waiters.h"

#include <pgqrs/error.h>
#include <pgqrs/workflow_records.h>

#include <algorithm>
#include <chrono>
#include <exception>
#include <string>
#include <utility>

#include "api/run_core.h"
#include "api/store_core.h"
#include "workflow/reads.h"

namespace pgqrs::internal {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr Duration kFirstPause = std::chrono::milliseconds(5);
constexpr Duration kLongestPause = std::chrono::milliseconds(250);

Json OutputOf(const RunInfo& run) {
  if (run.status == RunStatus::kSuccess) return run.output.value_or(Json());
  const auto name = "run " + std::to_string(run.id) + " of workflow \"" + run.workflow_name + "\"";
  if (run.status == RunStatus::kCancelled) {
    throw WorkflowError(name + " was cancelled", "Cancelled", "");
  }
  auto error = StoredError::From(run.error.value_or(Json()));
  throw WorkflowError(name + " failed: " + error.message, std::move(error.code),
                      std::move(error.step));
}

}  // namespace

// One who waits. At any time it looks at the run, or waits to be woken.
class RunWaiter : public std::enable_shared_from_this<RunWaiter> {
 public:
  RunWaiter(const std::shared_ptr<StoreCore>& store, std::int64_t run_id,
            std::optional<Duration> timeout)
      : store_(store),
        run_id_(run_id),
        deadline_(timeout ? std::optional(SteadyClock::now() + *timeout) : std::nullopt),
        state_(std::make_shared<FutureState<Json>>(&store->engine().callbacks())) {}

  std::int64_t run_id() const { return run_id_; }
  Future<Json> future() const { return Future<Json>(state_); }

  void Wake() {
    {
      const std::lock_guard lock(mutex_);
      if (has_ended_) return;
      if (std::exchange(is_looking_, true)) {
        must_look_again_ = true;
        return;
      }
    }
    Look();
  }

  // The same for threads that must not wait, as a look may have to for its turn.
  void WakeLater() {
    if (const auto store = store_.lock()) {
      store->engine().callbacks().Post([self = shared_from_this()] { self->Wake(); });
    }
  }

  // Ends the wait with what `end` gives or throws, unless it has ended already.
  template <typename F>
  void End(const F& end) {
    if (!BeginsToEnd()) return;
    std::exception_ptr error;
    try {
      state_->Set(end());
    } catch (...) {
      error = std::current_exception();
    }
    if (error) state_->Fail(std::move(error));
  }

  void Fail(std::exception_ptr error) {
    if (BeginsToEnd()) state_->Fail(std::move(error));
  }

 private:
  bool BeginsToEnd() {
    {
      const std::lock_guard lock(mutex_);
      if (std::exchange(has_ended_, true)) return false;
    }
    if (const auto store = store_.lock()) store->run_waiters().Remove(shared_from_this());
    return true;
  }

  void Look() {
    const auto store = store_.lock();
    if (!store) return;
    const auto self = shared_from_this();
    std::exception_ptr error;
    try {
      store
          ->Read([run_id = run_id_](driver::Connection& connection) {
            return workflow::GetRun(connection, run_id);
          })
          .Then([self](Future<RunInfo> found) { self->Decide(std::move(found)); });
    } catch (...) {
      error = std::current_exception();
    }
    if (error) Fail(std::move(error));
  }

  void Decide(Future<RunInfo> found) {
    std::optional<RunInfo> run;
    std::exception_ptr error;
    try {
      run = found.Get();
    } catch (...) {
      error = std::current_exception();
    }
    if (!run) {
      Fail(std::move(error));
      return;
    }
    if (IsFinished(run->status)) {
      End([&] { return OutputOf(*run); });
      return;
    }
    const auto now = SteadyClock::now();
    if (deadline_ && now >= *deadline_) {
      End([&]() -> Json {
        throw TimeoutError("run " + std::to_string(run_id_) + " of workflow \"" +
                           run->workflow_name + "\" has not ended in time; it is " +
                           std::string(ToString(run->status)));
      });
      return;
    }
    bool looks_again = false;
    {
      const std::lock_guard lock(mutex_);
      if (has_ended_) return;
      looks_again = std::exchange(must_look_again_, false);
      is_looking_ = looks_again;
      if (!looks_again) WaitAWhile(now);
    }
    if (looks_again) Look();
  }

  void WaitAWhile(SteadyClock::time_point now) {
    const auto store = store_.lock();
    if (!store) return;
    auto next = now + pause_;
    if (deadline_) next = std::min(next, *deadline_);
    pause_ = std::min(pause_ * 3 / 2, kLongestPause);
    auto& timer = store->engine().timer();
    timer.Cancel(next_look_);  // Where it was woken before its time.
    next_look_ = timer.At(next, [weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->WakeLater();
    });
  }

  const std::weak_ptr<StoreCore> store_;
  const std::int64_t run_id_;
  const std::optional<SteadyClock::time_point> deadline_;
  const std::shared_ptr<FutureState<Json>> state_;
  std::mutex mutex_;
  bool is_looking_ = false;
  bool must_look_again_ = false;
  bool has_ended_ = false;
  Duration pause_ = kFirstPause;
  engine::Timer::Id next_look_;
};

Future<Json> RunWaiters::Wait(const std::shared_ptr<StoreCore>& store, std::int64_t run_id,
                              std::optional<Duration> timeout) {
  auto waiter = std::make_shared<RunWaiter>(store, run_id, timeout);
  auto future = waiter->future();
  store->run_waiters().Add(waiter);
  waiter->Wake();
  return future;
}

void RunWaiters::Add(const std::shared_ptr<RunWaiter>& waiter) {
  const std::lock_guard lock(mutex_);
  if (is_closed_) throw Error("the store was closed");
  waiters_.emplace(waiter->run_id(), waiter);
}

void RunWaiters::Remove(const std::shared_ptr<RunWaiter>& waiter) {
  const std::lock_guard lock(mutex_);
  const auto [begin, end] = waiters_.equal_range(waiter->run_id());
  const auto found =
      std::find_if(begin, end, [&](const auto& entry) { return entry.second == waiter; });
  if (found != end) waiters_.erase(found);
}

void RunWaiters::Wake(std::span<const std::int64_t> run_ids) {
  std::vector<std::shared_ptr<RunWaiter>> woken;
  {
    const std::lock_guard lock(mutex_);
    if (run_ids.empty()) {
      for (const auto& [id, waiter] : waiters_) woken.push_back(waiter);
    }
    for (const auto id : run_ids) {
      const auto [begin, end] = waiters_.equal_range(id);
      for (auto it = begin; it != end; ++it) woken.push_back(it->second);
    }
  }
  for (const auto& waiter : woken) waiter->WakeLater();
}

void RunWaiters::Close() {
  std::multimap<std::int64_t, std::shared_ptr<RunWaiter>> waiters;
  {
    const std::lock_guard lock(mutex_);
    is_closed_ = true;
    waiters.swap(waiters_);
  }
  for (const auto& [id, waiter] : waiters) {
    waiter->End([]() -> Json { throw Error("the store was closed before the run has ended"); });
  }
}

}  // namespace pgqrs::internal
