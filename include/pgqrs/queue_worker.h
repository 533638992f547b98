// A worker that runs a handler on each message of a queue.
#ifndef PGQRS_QUEUE_WORKER_H_
#define PGQRS_QUEUE_WORKER_H_

#include <pgqrs/error.h>
#include <pgqrs/message.h>
#include <pgqrs/queue.h>
#include <pgqrs/time.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace pgqrs {

namespace internal {
class QueueWorkerCore;
}  // namespace internal

// A handler throws this to have the message again after a time of its own choice instead of the
// retry policy's. It does not count as a try: the read is taken back.
class RetryAfter : public Error {
 public:
  explicit RetryAfter(Duration delay, const std::string& why = "the handler asked for a retry")
      : Error(why), delay_(delay) {}
  Duration delay() const { return delay_; }

 private:
  Duration delay_;
};

// A handler throws this where trying again is of no use: the message goes to the dead letters with
// this reason.
class Discard : public Error {
 public:
  using Error::Error;
};

// When a message whose handler threw is handed out again: after base · 2^(reads − 1), at most
// `max_delay`, give or take a random quarter. (Exponential backoff with jitter, after AWS
// Architecture Blog, "Exponential Backoff And Jitter", 2015.)
struct RetryPolicy {
  // After so many reads the message goes to the dead letters, with the handler's error as the
  // reason. None: Config::max_read_ct, which holds in any case.
  std::optional<int> max_attempts = {};
  Duration base_delay = std::chrono::seconds(1);
  Duration max_delay = std::chrono::minutes(1);
  bool jitter = true;
};

struct WorkerOptions {
  // Shown in pgqrs_workers. Empty: one is made up.
  std::string name = {};

  // How many handlers run at once, each on a thread of the worker. From 1 to 10,000.
  int concurrency = 1;

  // How many messages wait in memory, under lease, beside those in handlers. None: as many as
  // `concurrency`. More makes short handlers faster, at the price that a killed process leaves more
  // messages to wait for the end of their leases. From 0 to Queue::kMaxBatchSize.
  std::optional<int> prefetch = {};

  // The lease of each message. The worker extends it while the handler runs, so it only decides how
  // soon others take over from a process that died. None: Config::default_lease.
  std::optional<Duration> lease = {};

  RetryPolicy retry = {};
};

// Takes messages from a queue and runs a handler on each.
//
//   pgqrs::QueueWorker worker(queue, [](pgqrs::Message& message) { Work(message.payload()); },
//                             {.concurrency = 4});
//   worker.Run();   // until Stop or RequestStop is called elsewhere
//
// When the handler returns the message is acked; when it throws the message is released and comes
// back by the retry policy (or as RetryAfter and Discard say). A handler may also settle the
// message itself (Ack, Release, Delete, DeadLetter), which is then left as it is. A message may be
// handed out more than once (a process dies before its ack), so handlers should bear repetition.
class QueueWorker {
 public:
  using Handler = std::function<void(Message& message)>;

  // ValidationError where the handler is empty or an option is out of its range.
  QueueWorker(Queue queue, Handler handler, WorkerOptions options = {});
  QueueWorker(const QueueWorker&) = delete;
  QueueWorker& operator=(const QueueWorker&) = delete;
  // Stops, as Stop with no time for running handlers, and then waits for them to return.
  //
  // In a handler of this worker it cannot wait. There it asks to stop, as RequestStop does, and
  // returns: the handlers that run finish in their own time, on the worker's threads, and what
  // becomes of their messages is settled as usual. What the handler refers to must live until then,
  // and a call of Run returns only then.
  ~QueueWorker();

  // Runs until the worker is stopped. Run returns when everything has come to rest: each message
  // is acked, or given back. A worker runs once: Run and Start throw Error the second time. Throws
  // where the worker cannot be registered: QueueNotFoundError where the queue was deleted,
  // ValidationError for a name that is too long or no UTF-8.
  void Run();

  // The same on a thread of its own; returns at once. Where the worker cannot be registered that is
  // logged (Config::log), and it takes no message.
  void Start();

  // Asks the worker to stop and returns at once: it takes no new message and gives back those that
  // no handler has seen, while running handlers finish. From any thread, a handler's included, but
  // not from a signal handler.
  void RequestStop();

  // Takes no new message, gives back those that no handler has seen (their read counts as before),
  // and waits up to `deadline` for running handlers. Answers true where all of them finished.
  // Where they did not, their messages are released, so that others may take them, and what the
  // handlers do later is not acked. Error from a handler of the worker, which would wait for
  // itself.
  bool Stop(Duration deadline = std::chrono::seconds(30));

  // 0 until Run or Start has registered the worker.
  std::int64_t worker_id() const;

  // How many messages were acked, failed (their handler threw, whatever became of them then) and
  // dead-lettered by this worker. What a handler settles itself is not counted.
  struct Counts {
    std::uint64_t acked = 0;
    std::uint64_t failed = 0;
    std::uint64_t dead = 0;
  };
  Counts counts() const;

 private:
  std::shared_ptr<internal::QueueWorkerCore> core_;
};

}  // namespace pgqrs

#endif  // PGQRS_QUEUE_WORKER_H_
