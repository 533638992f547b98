#include "api/run_waiters.h"

#include <pgqrs/error.h>
#include <pgqrs/workflow_records.h>

#include <algorithm>
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

std::string Named(const RunInfo& run) {
  return "run " + std::to_string(run.id) + " of workflow \"" + run.workflow_name + "\"";
}

Json OutputOf(const RunInfo& run) {
  if (run.status == RunStatus::kSuccess) return run.output.value_or(Json());
  if (run.status == RunStatus::kCancelled) {
    throw WorkflowError(Named(run) + " was cancelled", "Cancelled", "");
  }
  auto error = StoredError::From(run.error.value_or(Json()));
  throw WorkflowError(Named(run) + " failed: " + error.message, std::move(error.code),
                      std::move(error.step));
}

}  // namespace

struct RunWaiters::Waiter {
  std::int64_t run_id = 0;
  Time deadline = Time::max();
  std::shared_ptr<FutureState<Json>> state;
  Duration pause = kFirstPause;
  Time look_at = Time::min();

  bool IsLate(Time now) const { return now >= deadline; }
  Time next() const { return std::min(look_at, deadline); }
  void Pause(Time now) {
    look_at = now + pause;
    pause = std::min(pause * 3 / 2, kLongestPause);
  }

  // With what `end` gives or throws.
  template <typename F>
  void End(const F& end) {
    std::exception_ptr error;
    try {
      state->Set(end());
    } catch (...) {
      error = std::current_exception();
    }
    if (error) state->Fail(std::move(error));
  }
  void EndWith(const RunInfo& run) {
    End([&]() -> Json {
      if (IsFinished(run.status)) return OutputOf(run);
      throw TimeoutError(Named(run) + " has not ended in time; it is " +
                         std::string(ToString(run.status)));
    });
  }
  void Close() {
    End([]() -> Json { throw Error("the store was closed before the run has ended"); });
  }
};

RunWaiters::RunWaiters() = default;
RunWaiters::~RunWaiters() = default;

Future<Json> RunWaiters::Wait(const StorePtr& store, std::int64_t run_id,
                              std::optional<Duration> timeout) {
  auto waiter = std::make_unique<Waiter>();
  waiter->run_id = run_id;
  if (timeout) {
    const auto now = SteadyClock::now();
    waiter->deadline = *timeout < Time::max() - now ? now + *timeout : Time::max();
  }
  waiter->state = std::make_shared<FutureState<Json>>(&store->engine().callbacks());
  Future<Json> future(waiter->state);
  auto& waiters = store->run_waiters();
  waiters.Add(store, std::move(waiter));
  waiters.Look(store);
  return future;
}

void RunWaiters::Add(const StorePtr& store, std::unique_ptr<Waiter> waiter) {
  const std::lock_guard lock(mutex_);
  if (is_closed_) throw Error("the store was closed");
  store_ = store;
  const auto id = waiter->run_id;
  waiters_.emplace(id, std::move(waiter));
}

void RunWaiters::Wake(std::span<const std::int64_t> run_ids) {
  StorePtr store;
  std::vector<std::shared_ptr<Waiters>> woken;
  {
    const std::lock_guard lock(mutex_);
    if (waiters_.empty()) return;
    store = store_.lock();
    if (!store) return;
    all_have_turn_ = all_have_turn_ || run_ids.empty();
    for (const auto id : run_ids) {
      if (auto some = TakeThoseOf(id); !some.empty()) {
        woken.push_back(std::make_shared<Waiters>(std::move(some)));
      }
    }
  }
  if (run_ids.empty()) return LookLater();
  for (auto& waiters : woken) {
    store->engine().callbacks().Post([this, weak = std::weak_ptr(store), waiters] {
      if (const auto alive = weak.lock()) return Read(alive, std::move(*waiters));
      for (const auto& waiter : *waiters) waiter->Close();
    });
  }
}

RunWaiters::Waiters RunWaiters::TakeThoseOf(std::int64_t run_id) {
  Waiters taken;
  const auto [begin, end] = waiters_.equal_range(run_id);
  for (auto it = begin; it != end; ++it) taken.push_back(std::move(it->second));
  waiters_.erase(begin, end);
  return taken;
}

void RunWaiters::LookLater() {
  std::weak_ptr<StoreCore> weak;
  {
    const std::lock_guard lock(mutex_);
    weak = store_;
  }
  const auto store = weak.lock();
  if (!store) return;
  store->engine().callbacks().Post([this, weak] {
    if (const auto alive = weak.lock()) Look(alive);
  });
}

void RunWaiters::Look(const StorePtr& store) {
  Waiters late;
  std::vector<std::int64_t> ids;
  {
    const std::lock_guard lock(mutex_);
    if (is_looking_) {
      must_look_again_ = true;
      return;
    }
    must_look_again_ = false;
    ids = TakeTurns(SteadyClock::now(), late);
    is_looking_ = !ids.empty();
    if (!is_looking_) SetTimer(*store, next_look_);
  }
  // A late one is looked at all the same: its run may have ended in the last moment.
  for (auto& waiter : late) {
    Waiters one;
    one.push_back(std::move(waiter));
    Read(store, std::move(one));
  }
  if (ids.empty()) return;
  try {
    store
        ->Read(
            [ids](driver::Connection& connection) { return workflow::EndedRuns(connection, ids); })
        .Then([this, store, ids](Future<std::vector<std::int64_t>> found) {
          EndLook(store, std::move(found), ids);
        });
  } catch (...) {
    auto failed = std::make_shared<FutureState<std::vector<std::int64_t>>>(nullptr);
    failed->Fail(std::current_exception());
    EndLook(store, Future<std::vector<std::int64_t>>(std::move(failed)), ids);
  }
}

std::vector<std::int64_t> RunWaiters::TakeTurns(Time now, Waiters& late) {
  std::vector<std::int64_t> ids;
  const bool all = std::exchange(all_have_turn_, false);
  next_look_ = Time::max();
  for (auto it = waiters_.begin(); it != waiters_.end();) {
    auto& waiter = *it->second;
    if (waiter.IsLate(now)) {
      late.push_back(std::move(it->second));
      it = waiters_.erase(it);
      continue;
    }
    // Whose turn is soon goes with the others.
    if (all || waiter.look_at <= now + waiter.pause / 4) {
      if (ids.empty() || ids.back() != it->first) ids.push_back(it->first);
      waiter.Pause(now);
    }
    next_look_ = std::min(next_look_, waiter.next());
    ++it;
  }
  return ids;
}

void RunWaiters::EndLook(const StorePtr& store, Future<std::vector<std::int64_t>> found,
                         const std::vector<std::int64_t>& asked) {
  std::exception_ptr error;
  std::vector<std::int64_t> ended;
  try {
    ended = found.Get();
  } catch (...) {
    error = std::current_exception();
    ended = asked;
  }
  std::vector<Waiters> taken;
  bool looks_again = false;
  {
    const std::lock_guard lock(mutex_);
    is_looking_ = false;
    for (const auto id : ended) taken.push_back(TakeThoseOf(id));
    looks_again = must_look_again_;
    if (!looks_again) SetTimer(*store, next_look_);
  }
  for (auto& waiters : taken) {
    if (!error) {
      if (!waiters.empty()) Read(store, std::move(waiters));
      continue;
    }
    for (const auto& waiter : waiters) waiter->state->Fail(error);
  }
  if (looks_again) Look(store);
}

void RunWaiters::Read(const StorePtr& store, Waiters waiters) {
  const auto shared = std::make_shared<Waiters>(std::move(waiters));
  const auto run_id = shared->front()->run_id;
  try {
    store
        ->Read([run_id](driver::Connection& connection) {
          return workflow::GetRun(connection, run_id);
        })
        .Then([this, store, shared](Future<RunInfo> found) {
          Decide(store, std::move(found), std::move(*shared));
        });
  } catch (...) {
    for (const auto& waiter : *shared) waiter->state->Fail(std::current_exception());
  }
}

void RunWaiters::Decide(const StorePtr& store, Future<RunInfo> found, Waiters waiters) {
  std::optional<RunInfo> run;
  try {
    run = found.Get();
  } catch (...) {
    for (const auto& waiter : waiters) waiter->state->Fail(std::current_exception());
    return;
  }
  const auto now = SteadyClock::now();
  if (!IsFinished(run->status)) {
    // It goes on again, or somebody was late.
    const std::lock_guard lock(mutex_);
    for (auto& waiter : waiters) {
      if (waiter->IsLate(now)) continue;
      if (is_closed_) {
        std::exchange(waiter, nullptr)->Close();
        continue;
      }
      waiter->pause = kFirstPause;
      waiter->Pause(now);
      const auto next = waiter->next();
      waiters_.emplace(run->id, std::move(waiter));
      if (next < next_look_) SetTimer(*store, next);
    }
    std::erase(waiters, nullptr);
  }
  for (const auto& waiter : waiters) waiter->EndWith(*run);
}

void RunWaiters::SetTimer(StoreCore& store, Time time) {
  next_look_ = time;
  auto& timer = store.engine().timer();
  timer.Cancel(timer_);
  if (time == Time::max() || is_closed_) return;
  timer_ = timer.At(time, [this, weak = store_] {
    if (const auto alive = weak.lock()) LookLater();
  });
}

void RunWaiters::Close() {
  std::multimap<std::int64_t, std::unique_ptr<Waiter>> waiters;
  {
    const std::lock_guard lock(mutex_);
    is_closed_ = true;
    waiters.swap(waiters_);
  }
  for (const auto& [id, waiter] : waiters) waiter->Close();
}

}  // namespace pgqrs::internal
