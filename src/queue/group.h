// Carries out a group: many requests in one transaction.
#ifndef PGQRS_QUEUE_GROUP_H_
#define PGQRS_QUEUE_GROUP_H_

#include <pgqrs/time.h>

#include <cstdint>
#include <exception>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "driver/driver.h"
#include "queue/request.h"
#include "queue/shared_state.h"
#include "workflow/run_message.h"

namespace pgqrs::workflow {
struct RunRequest;
}  // namespace pgqrs::workflow

namespace pgqrs::queue {

class SetSteps;

// What the groups of one lane share. Used by one thread at a time, except for what all lanes share.
struct Session {
  int max_read_ct = 5;
  std::shared_ptr<SharedState> shared = std::make_shared<SharedState>();
};

// A queue that has messages which become visible at this time, or did.
struct BecameVisible {
  std::int64_t queue_id = 0;
  std::int64_t visible_at = 0;
};

// The numbers that a group has used. With these it can be carried out again where nobody knows
// whether its commit happened: what it did is found by them, and nothing is done twice.
struct Numbers {
  // Whose token it is: no two deals of a group have the same. See SetDequeue.
  struct LeaseKey {
    std::int64_t queue_id;
    std::int64_t worker_id;
    std::int64_t lease;
    std::optional<TimePoint> at;

    // NOLINTNEXTLINE(modernize-use-nullptr): what the compiler makes of it, as clang-tidy sees it.
    friend auto operator<=>(const LeaseKey&, const LeaseKey&) = default;
  };

  std::vector<std::int64_t> batch_ids;
  std::map<LeaseKey, std::int64_t> lease_tokens;
};

// One group on its way through a transaction that the caller begins and will commit. Answers lie
// in the requests. Requests that cannot be met (their queue is gone) get an error of their own; a
// driver::Failure concerns the whole group, and after it nothing of the group counts.
class Group {
 public:
  // With `earlier`, which has to live as long, it repeats the same requests.
  Group(driver::Connection& connection, Session& session, std::span<Request* const> requests,
        const Numbers* earlier = nullptr);
  ~Group();

  // To be called before the transaction begins: makes what it needs and what stays whatever becomes
  // of it, in transactions of their own.
  void Prepare();

  // First what settles messages, then what is done to runs of workflows, then what enqueues, then
  // what dequeues, each in the order of the requests (those on runs in the order of the runs). So a
  // worker's acks and its next dequeue can travel together, and what one releases or enqueues the
  // next can have.
  void Run();

  // To be called after the commit. The answers are complete only then.
  void Committed();
  // To be called instead of it after a rollback: makes everything as it was before Run.
  void RolledBack();
  // To be called instead where nobody knows whether the commit happened. Gives the numbers with
  // which those of the requests that can be repeated may be; nothing where none can.
  std::optional<Numbers> MayHaveCommitted();
  static bool CanBeRepeated(const Request& request);

  // After the commit: requests that could not be met by statements on sets. They have to be run
  // again, in a group of their own.
  std::vector<Request*> TakeLeftOver();

  const std::vector<BecameVisible>& became_visible() const { return became_visible_; }
  const std::vector<std::int64_t>& ended_runs() const { return effects_.ended; }

 private:
  friend class BatchFormer;
  friend class EnqueueStep;
  friend class DequeueStep;
  friend class SettleStep;
  friend class SetDequeue;
  friend class SetSteps;

  void RunRowByRow();
  void SettleRowByRow(const std::vector<SettleRequest*>& requests);
  void RunOnRuns(const std::vector<workflow::RunRequest*>& requests);
  void PrepareRuns();
  void CountTaken();
  std::int64_t WorkerId(Worker& worker);
  std::int64_t NextBatchId();
  std::int64_t NextLeaseToken() { return session_.shared->lease_tokens.Next(connection_); }
  // Whether the queue still exists; where not, the request gets the error.
  bool CheckQueue(Request& request, const QueueRef& queue);
  void NoteVisible(std::int64_t queue_id, std::int64_t visible_at);

  driver::Connection& connection_;
  Session& session_;
  const bool works_on_sets_;
  const IdBlock::State batch_ids_before_;
  const IdBlock::State lease_tokens_before_;
  const std::span<Request* const> requests_;
  const Numbers* const earlier_;
  Numbers used_;
  std::int64_t now_ = 0;
  std::unique_ptr<SetSteps> set_steps_;
  std::unordered_map<std::int64_t, std::exception_ptr> queue_errors_;  // Null: it is open.
  std::vector<Worker*> new_workers_;
  std::unordered_map<std::int64_t, std::int64_t>
      settled_;  // Messages by the worker that held them.
  std::vector<BecameVisible> became_visible_;
  workflow::Effects effects_;
};

// When the next message of a queue becomes visible, or did. Nothing where there is none.
std::optional<std::int64_t> NextVisible(driver::Connection& connection, std::int64_t queue_id);

// Registers the worker where it has no row yet and gives its id.
std::int64_t RegisterWorker(driver::Connection& connection, Worker& worker);

}  // namespace pgqrs::queue

#endif  // PGQRS_QUEUE_GROUP_H_
