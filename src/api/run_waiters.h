// Those who wait for the end of a run.
#ifndef PGQRS_API_RUN_WAITERS_H_
#define PGQRS_API_RUN_WAITERS_H_

#include <pgqrs/future.h>
#include <pgqrs/json.h>
#include <pgqrs/time.h>

#include <chrono>
#include <cstdint>
#include <exception>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

#include "engine/timer.h"

namespace pgqrs {
struct RunInfo;
}

namespace pgqrs::internal {

class StoreCore;

// The waiters of a store. The ends of runs that the store itself commits wake them at once; those
// of others are found by looking again and again, after 5 ms first, and then less and less often.
// One look asks for all runs whose turn it is; only of those that have ended the row is read.
class RunWaiters {
 public:
  RunWaiters();
  RunWaiters(const RunWaiters&) = delete;
  RunWaiters& operator=(const RunWaiters&) = delete;
  ~RunWaiters();

  // Gives the output of the run: at its end, or an error after `timeout`.
  static Future<Json> Wait(const std::shared_ptr<StoreCore>& store, std::int64_t run_id,
                           std::optional<Duration> timeout);

  // These runs have ended; none of them: some may have.
  void Wake(std::span<const std::int64_t> run_ids);

  // Fails all that wait, and those that come later.
  void Close();

 private:
  using Time = std::chrono::steady_clock::time_point;
  using StorePtr = std::shared_ptr<StoreCore>;
  struct Waiter;
  // Whoever reads the row of a run has its waiters, and puts those back that are to wait on.
  using Waiters = std::vector<std::unique_ptr<Waiter>>;

  void Add(const StorePtr& store, std::unique_ptr<Waiter> waiter);
  // Lets a thread that may block look.
  void LookLater();
  // Asks for the runs whose turn it is. One look at a time.
  void Look(const StorePtr& store);
  // Under the mutex: what a look has to ask for, and those whose time is up.
  std::vector<std::int64_t> TakeTurns(Time now, Waiters& late);
  Waiters TakeThoseOf(std::int64_t run_id);
  void EndLook(const StorePtr& store, Future<std::vector<std::int64_t>> found,
               const std::vector<std::int64_t>& asked);
  // Reads the run of these waiters, and ends those that need not wait any longer.
  void Read(const StorePtr& store, Waiters waiters);
  void Decide(const StorePtr& store, Future<RunInfo> found, Waiters waiters);
  // Under the mutex.
  void SetTimer(StoreCore& store, Time time);

  std::mutex mutex_;
  bool is_closed_ = false;
  std::weak_ptr<StoreCore> store_;                                // Once somebody waits.
  std::multimap<std::int64_t, std::unique_ptr<Waiter>> waiters_;  // By run.
  bool is_looking_ = false;
  bool must_look_again_ = false;
  bool all_have_turn_ = false;
  Time next_look_ = Time::max();
  engine::Timer::Id timer_;
};

}  // namespace pgqrs::internal

#endif  // PGQRS_API_RUN_WAITERS_H_
