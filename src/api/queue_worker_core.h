#ifndef PGQRS_API_QUEUE_WORKER_CORE_H_
#define PGQRS_API_QUEUE_WORKER_CORE_H_

#include <pgqrs/queue_worker.h>

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "api/store_core.h"
#include "queue/request.h"

namespace pgqrs::internal {

// The messages of a worker go through here: a dequeue (the feed) fills the line, handler threads
// take from it, and what becomes of each message goes to the engine together with the next feed.
//
// Nothing is submitted to the engine under the mutex, since the engine may complete a request at
// once.
class QueueWorkerCore : public std::enable_shared_from_this<QueueWorkerCore> {
 public:
  // What a handler leaves to be done with its message, unless it throws.
  enum class Handling : std::uint8_t {
    kAck,
    kSettled,   // Nothing: it has ended what the message stands for, and the lease with it.
    kGiveBack,  // Others may have it at once, with the read count that it had before.
  };
  using Handler = std::function<Handling(Message&)>;

  QueueWorkerCore(std::shared_ptr<QueueCore> queue, Handler handler, WorkerOptions options);
  // A public handler in that form; an empty one stays empty.
  static Handler AsHandler(QueueWorker::Handler handler);

  void Run();
  void Start();
  void RequestStop();
  bool Stop(Duration deadline);
  // Stops, and waits for every handler to return; called by one of them, it leaves the rest to the
  // worker's threads.
  void Shutdown() noexcept;

  std::int64_t worker_id() const;
  QueueWorker::Counts counts() const;

 private:
  using SettleRequest = queue::SettleRequest;

  enum class Phase : std::uint8_t { kNew, kRunning, kFinished };

  // How a handler ended.
  struct Outcome {
    SettleRequest::Action action = SettleRequest::Action::kAck;
    Duration delay = Duration::zero();
    std::string text = {};
    bool unread = false;
    bool failed = false;
    bool is_settled = false;
  };

  void CheckNew() const;
  bool IsHandlingHere() const;
  void Abandon();
  void RunToEnd();
  void Register();
  void RunHandlers();
  void Handle(Message& message);
  bool Forget(const SettleRequest::Target& target);
  Outcome CallHandler(Message& message, int read_count);
  Outcome OutcomeOf(int read_count, const std::exception& error) const;
  void Settle(const Message& message, Outcome outcome);
  void OnSettled(const SettleRequest& request, std::int64_t message_id);

  engine::RequestPtr MakeFeed();
  void Feed();
  void OnFed(queue::DequeueRequest& request);
  void FeedLater();
  void GiveBack(std::vector<SettleRequest::Target> targets, bool unread);

  void ScheduleExtension();
  void ExtendLeases();

  void StopTaking();
  template <typename Condition>
  void WaitUntil(std::unique_lock<std::mutex>& lock, Condition condition);
  void WaitForRest();
  void Retire();
  bool IsAtRest() const;
  StoreCore& store() const { return queue_->store(); }
  std::int64_t queue_id() const { return queue_->ref()->id; }
  void Log(LogLevel level, std::string_view message, std::string_view why) const;

  const std::shared_ptr<QueueCore> queue_;
  Handler handler_;  // Until Shutdown, or the end of the run after it.
  const WorkerOptions options_;
  const Duration lease_;
  const std::size_t capacity_;  // Messages in the line and in handlers.

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  Phase phase_ = Phase::kNew;
  bool stopping_ = false;
  bool is_abandoned_ = false;  // Nobody owns the worker but its threads.
  bool is_feeding_ = false;
  bool is_extending_ = false;
  std::size_t running_ = 0;
  std::size_t unsettled_ = 0;  // Settle requests that are under way.
  std::deque<Message> line_;
  std::map<std::int64_t, std::int64_t> held_;  // Lease tokens by message, of line and handlers.
  QueueWorker::Counts counts_;
  std::shared_ptr<queue::Worker> worker_;
  std::vector<std::thread> threads_;
  std::thread runner_;  // Of Start.
};

}  // namespace pgqrs::internal

#endif  // PGQRS_API_QUEUE_WORKER_CORE_H_
