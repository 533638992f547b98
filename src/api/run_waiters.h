// Those who wait for the end of a run.
#ifndef PGQRS_API_RUN_WAITERS_H_
#define PGQRS_API_RUN_WAITERS_H_

#include <pgqrs/future.h>
#include <pgqrs/json.h>
#include <pgqrs/time.h>

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

namespace pgqrs::internal {

class RunWaiter;
class StoreCore;

// The waiters of a store. The ends of runs that the store itself commits wake them at once; those
// of others are found by looking again and again, after 5 ms first, and then less and less often.
class RunWaiters {
 public:
  // Gives the output of the run: at its end, or an error after `timeout`.
  static Future<Json> Wait(const std::shared_ptr<StoreCore>& store, std::int64_t run_id,
                           std::optional<Duration> timeout);

  // These runs have ended; none of them: some may have.
  void Wake(std::span<const std::int64_t> run_ids);

  // Fails all that wait, and those that come later.
  void Close();

 private:
  friend class RunWaiter;

  void Add(const std::shared_ptr<RunWaiter>& waiter);
  void Remove(const std::shared_ptr<RunWaiter>& waiter);

  std::mutex mutex_;
  bool is_closed_ = false;
  std::multimap<std::int64_t, std::shared_ptr<RunWaiter>> waiters_;  // By run.
};

}  // namespace pgqrs::internal

#endif  // PGQRS_API_RUN_WAITERS_H_
