// Carries out the requests of a group with statements that work on sets: a few statements whatever
// the number of requests, none of which needs the answer of another, so that the group is one round
// trip and its transaction ends with it. The answers come with the commit.
#ifndef PGQRS_QUEUE_SET_STEPS_H_
#define PGQRS_QUEUE_SET_STEPS_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

#include "queue/enqueue.h"
#include "queue/group.h"
#include "queue/request.h"
#include "queue/set_dequeue.h"
#include "queue/slice.h"
#include "workflow/set_runs.h"

namespace pgqrs::queue {

class SetSteps {
 public:
  explicit SetSteps(Group& group) : group_(group) {}

  // Forms batches and deals, with the numbers and workers that they need. Outside of the
  // transaction.
  void Prepare(const std::vector<EnqueueRequest*>& enqueues,
               const std::vector<DequeueRequest*>& dequeues);

  // Sends everything. Requests and this object have to live until the answers are there.
  void Send(const std::vector<SettleRequest*>& settles,
            const std::vector<workflow::RunRequest*>& on_runs);

  // To be called after the commit: answers the requests. Those that are left over have to be run
  // again, and row by row.
  void Conclude();
  std::vector<Request*> TakeLeftOver() { return std::move(left_over_); }

 private:
  // Acks of messages of one batch under one lease.
  struct AckKey {
    std::int64_t queue_id;
    std::int64_t batch_id;
    std::int64_t token;      // 0: whatever lease the worker has.
    std::int64_t worker_id;  // 0 with a token.

    // NOLINTNEXTLINE(modernize-use-nullptr): what the compiler makes of it, as clang-tidy sees it.
    friend auto operator<=>(const AckKey&, const AckKey&) = default;
  };
  struct Ack {
    Mask mask = 0;
    bool is_done = false;
    std::int64_t worker_id = 0;  // The holder.
  };
  struct OfQueue {
    std::int64_t sent = 0;    // Batches.
    std::int64_t stored = 0;  // Of these, by the server's word.
  };
  struct Target {
    SettleRequest* request;
    std::size_t index;
    Ack* ack;  // Null: to be run row by row.
  };

  void SendAcks(const std::vector<SettleRequest*>& requests);
  void NoteAcked(const driver::Row& row);
  void AddTarget(SettleRequest& request, std::size_t index);
  void FormBatches(const std::vector<EnqueueRequest*>& requests);
  void SendOnRuns(const std::vector<workflow::RunRequest*>& requests);
  void SendRuns();
  void SendBatches(std::span<const std::pair<BatchKind, NewBatch>> batches);
  void ConcludeAcks();
  void ConcludeEnqueues();
  const driver::RowSink& Keep(driver::RowSink sink) { return sinks_.emplace_back(std::move(sink)); }

  Group& group_;
  std::list<driver::RowSink> sinks_;
  std::map<AckKey, Ack> acks_;
  std::vector<Target> targets_;
  std::vector<EnqueueRequest*> enqueues_;
  std::vector<std::pair<BatchKind, NewBatch>> batches_;
  std::unordered_map<std::int64_t, OfQueue> batches_of_;
  SetDequeue dequeue_{group_};
  workflow::SetRuns set_runs_{group_.connection_, group_.effects_};
  std::vector<Request*> left_over_;
};

}  // namespace pgqrs::queue

#endif  // PGQRS_QUEUE_SET_STEPS_H_
