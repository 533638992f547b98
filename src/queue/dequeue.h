#ifndef PGQRS_QUEUE_DEQUEUE_H_
#define PGQRS_QUEUE_DEQUEUE_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "queue/group.h"
#include "queue/request.h"
#include "queue/rows.h"
#include "queue/slice.h"

namespace pgqrs::queue {

// Whether two requests of a group become one dequeue: those of one worker on one queue with one
// lease, at one time.
bool TakeTogether(const DequeueRequest& a, const DequeueRequest& b);

// Appends messages of one batch that were handed out together: all of them like `common`, but for
// their ids and payloads. Throws driver::Failure where the batch lacks a payload.
void AppendMessages(std::int64_t batch_id, Mask part, const TakenMessage& common,
                    const std::vector<std::string_view>& payloads,
                    std::vector<TakenMessage>& messages);

// Gives the messages to the requests, in their order. `is_cut`: there may be more.
void DealOut(std::vector<TakenMessage>& taken, bool is_cut,
             const std::vector<DequeueRequest*>& requests);

// Hands out messages to all requests of a group. Requests of one worker on one queue with one lease
// become one dequeue, whose messages are dealt out.
//
// What was read too often it moves to the dead letters on its way, up to a limit. Behind that it
// takes nothing, so as not to break the order: requests that want more go on in the next group.
class DequeueStep {
 public:
  explicit DequeueStep(Group& group) : group_(group) {}

  void Run(const std::vector<DequeueRequest*>& requests);

 private:
  // A visible slice with what its messages need from the batch.
  struct Found {
    Slice slice;
    std::int64_t enqueued_at = 0;
    std::int64_t producer = 0;
    std::string payloads;
  };

  struct Deal {
    std::int64_t queue_id = 0;
    std::int64_t worker_id = 0;
    std::int64_t now = 0;
    std::int64_t lease_end = 0;
    std::int64_t lease_token = 0;
    int wanted = 0;
    bool is_cut = false;  // There may be more than this group has looked at.
    std::vector<TakenMessage> taken;
  };

  void RunTogether(const std::vector<DequeueRequest*>& requests);
  // Tells those that got nothing and wait when the queue's next message becomes visible.
  void TellWhenNext(std::int64_t queue_id, const std::vector<DequeueRequest*>& requests);
  void Take(Deal& deal);
  // Answers whether there may be more of this priority.
  bool TakeSome(Deal& deal, int priority);
  std::vector<Found> Find(const Deal& deal, int priority);
  void TakeRun(Deal& deal, std::vector<Found>::const_iterator begin,
               std::vector<Found>::const_iterator end);
  void TakePart(Deal& deal, const Found& found, Mask part);
  bool IsExhausted(const Found& found) const;
  void MoveToDeadLetters(const Found& found, std::int64_t now);
  BatchSlices& Touched(const Slice& slice);

  // How many slices of exhausted messages one group moves. A run has fewer, so that each group that
  // begins afresh gets on.
  static constexpr std::ptrdiff_t kMaxMoved = 1000;

  Group& group_;
  std::ptrdiff_t may_move_ = kMaxMoved;
  std::map<std::int64_t, BatchSlices> touched_;  // By batch.
  std::vector<ArchiveRow> buried_;               // Where they are runs, these end.
  std::vector<std::string_view> elements_;
};

}  // namespace pgqrs::queue

#endif  // PGQRS_QUEUE_DEQUEUE_H_
