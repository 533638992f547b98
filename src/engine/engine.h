// Collects requests, runs them in groups, and answers them.
//
// A lane is a connection that writes, with a thread: one where the database has one writer, some
// where it is a server. Each time it is free it takes all requests that wait and carries them out
// in one transaction: nothing waits on a timer, a lone request goes out at once, and under load the
// groups grow by themselves. A caller that waits for
// its answer anyway, and finds the lane idle, carries its request out on its own thread, which
// saves two changes of thread.
#ifndef PGQRS_ENGINE_ENGINE_H_
#define PGQRS_ENGINE_ENGINE_H_

#include <pgqrs/config.h>
#include <pgqrs/records.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string_view>
#include <thread>
#include <vector>

#include "driver/driver.h"
#include "engine/callback_thread.h"
#include "engine/intake.h"
#include "engine/lane.h"
#include "engine/readers.h"
#include "engine/stats.h"
#include "engine/timer.h"
#include "engine/transactions.h"
#include "engine/waiters.h"
#include "queue/group.h"
#include "queue/request.h"

namespace pgqrs::engine {

class Engine {
 public:
  // Takes an open connection whose schema is in order.
  Engine(const Config& config, std::unique_ptr<driver::Database> database,
         std::unique_ptr<driver::Connection> writer);
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;
  ~Engine() { Close(); }

  // Takes requests in, as one unit. Waits while too much is waiting already. Throws Error once the
  // engine is closed.
  void Submit(std::vector<RequestPtr> requests);
  void Submit(RequestPtr request);

  // The same for a caller that waits for the answer next: it may be there on return.
  void Run(RequestPtr request);

  // The same without waiting, for the library's own threads. Requests that come too late are
  // completed with an error.
  void SubmitNow(std::vector<RequestPtr> requests);
  void SubmitNow(RequestPtr request);

  // Runs `task` with a connection that only reads, beside the lane where the database can do that.
  void Read(Readers::Task task);

  // Runs `work` in a transaction of its own and commits it, on the caller's thread where the
  // database has many writers (on a connection that is no lane's), otherwise on the lane. Waits.
  // `work` is run again where the transaction did not happen for passing reasons; where nobody
  // knows whether it did, `has_happened` is asked first, in another transaction. Throws what `work`
  // throws, or a public error (TransactionRefused where the server refuses the commit). Not from
  // within `work`, nor where requests are completed: Error.
  void Transact(const std::function<void(driver::Connection&)>& work,
                const std::function<bool(driver::Connection&)>& has_happened);

  // Who is to be told of runs that have ended, behind the commit: their ids; none of them where
  // some may have, and whoever waits has to look. It must not block. To be set before the first
  // request.
  void OnRunsEnded(std::function<void(std::span<const std::int64_t>)> callback);

  // Completes the dequeues of a worker that wait for messages, with none.
  void CancelWaits(const queue::Worker* worker);

  // Finishes what was submitted, completes every dequeue that waits, and ends all threads but that
  // of a callback which calls this.
  void Close();

  // Makes any exception an error of the public interface, and logs what was none before.
  std::exception_ptr PublicError(const std::exception_ptr& error) const noexcept;

  // Whether this thread is just completing requests, of whatever engine: it must not wait for one.
  static bool IsCompleting();

  // The database's clock, roughly, without asking the database.
  TimePoint ApproximateNow() const { return database_->ApproximateNow(); }

  // Whether this thread is in the body of a transaction of this engine: it must not wait for it.
  bool IsInTransaction() const;

  Timer& timer() { return timer_; }
  CallbackThread& callbacks() { return callbacks_; }
  EngineMetrics Metrics() const;
  void Log(LogLevel level, std::string_view message, std::span<const LogField> fields = {}) const;

 private:
  void RunLane(std::size_t index);
  void WakeForOthers(Lane& lane);
  void RunGroup(Lane& lane, std::vector<RequestPtr> group);
  void TryGroup(Lane& lane, std::span<queue::Request* const> requests);
  std::exception_ptr TryOnce(Lane& lane, std::span<queue::Request* const> requests,
                             std::chrono::steady_clock::time_point deadline,
                             std::optional<queue::Numbers>& earlier);
  std::vector<queue::Request*> FailUnrepeatable(std::span<queue::Request* const> requests,
                                                const std::exception_ptr& error) const;
  void RunOneByOne(Lane& lane, std::span<queue::Request* const> requests,
                   const std::exception_ptr& why);
  void AfterCommit(queue::Group& group);
  bool TryStep(Lane& lane, queue::JobRequest& job);
  void RunJob(Lane& lane, RequestPtr request);
  void Rollback(Lane& lane, const std::exception_ptr& error);
  std::chrono::steady_clock::time_point ConnectionDeadline() const;
  void Finish(const Lane& lane, std::vector<RequestPtr> group);
  void Answer(std::vector<RequestPtr> requests);
  bool MustWait(const queue::Request& request) const;
  void Park(const Lane& lane, RequestPtr request);
  void ExpireAt(std::chrono::steady_clock::time_point time);
  void Expire();
  void CloseThreads();
  void WakeQueue(std::int64_t queue_id);
  void TransactOnLane(const std::function<void(driver::Connection&)>& work);
  void TellOfEnds(std::span<const std::int64_t> run_ids);
  std::optional<TimePoint> TryNow();
  void WakeQueueAt(std::int64_t queue_id, std::int64_t visible_at);
  void HasMessageFrom(std::int64_t queue_id, std::int64_t visible_at);
  void WakeAll();
  void KeepPolling();
  bool IsDeaf();
  void UpdateListener();
  void StartListening();
  void LogError(LogLevel level, std::string_view message,
                const std::exception_ptr& error) const noexcept;

  const Config config_;
  std::unique_ptr<driver::Database> database_;
  Stats stats_;
  std::atomic<std::uint64_t> pending_{0};
  CallbackThread callbacks_;
  Intake intake_;
  Waiters waiters_;
  Timer timer_;
  Readers readers_;
  Transactions transactions_;
  std::shared_ptr<queue::SharedState> shared_;  // The lanes'.
  std::function<void(std::span<const std::int64_t>)> on_runs_ended_;

  std::mutex wake_mutex_;
  std::map<std::int64_t, Timer::Id> wake_timers_;  // The next visible time, by queue.
  Timer::Id expiry_;                               // The end of the first wait.
  std::atomic<bool> polling_{false};

  std::mutex close_mutex_;
  std::atomic<bool> closed_{false};
  std::mutex listener_mutex_;
  std::unique_ptr<driver::ChangeListener> listener_;
  std::vector<std::unique_ptr<Lane>> lanes_;
};

}  // namespace pgqrs::engine

#endif  // PGQRS_ENGINE_ENGINE_H_
