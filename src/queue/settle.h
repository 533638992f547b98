#ifndef PGQRS_QUEUE_SETTLE_H_
#define PGQRS_QUEUE_SETTLE_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "queue/group.h"
#include "queue/request.h"
#include "queue/rows.h"
#include "queue/slice.h"

namespace pgqrs::workflow {
struct End;
}  // namespace pgqrs::workflow

namespace pgqrs::queue {

// Acks, releases, extends, deletes and dead-letters messages, each only under its current lease.
class SettleStep {
 public:
  explicit SettleStep(Group& group) : group_(group) {}

  void Run(const std::vector<SettleRequest*>& requests);

 private:
  // Everything that the group does to one batch.
  struct Work {
    Work(std::int64_t queue, BatchSlices loaded) : queue_id(queue), slices(std::move(loaded)) {}

    std::int64_t queue_id;
    BatchSlices slices;
    std::vector<ArchiveRow> archived;
    Mask deleted = 0;
  };

  using Targets = std::span<const SettleRequest::Target>;

  // Appends to answers_.
  void Run(SettleRequest& request, Targets targets);
  // Only those targets that are still to be answered.
  void RunLeft(SettleRequest& request);
  bool IsArchived(const SettleRequest& request, const SettleRequest::Target& target);

  Work& WorkOn(const SettleRequest::Target& target);
  // Carries out the first targets, as many as are of one batch and lease, and gives their number.
  std::size_t SettleSome(SettleRequest& request, Targets targets);
  // Gives the messages of `wanted` that the request has the lease of.
  Mask Settle(SettleRequest& request, Work& work, const SettleRequest::Target& target, Mask wanted);
  // What follows is about messages of one slice.
  void Apply(SettleRequest& request, Work& work, Mask part, SliceState state);
  void Archive(Work& work, Mask part, const SliceState& state, const std::string* reason);
  void Write(const Work& work);
  void EndRuns(const Work& work, Mask messages, const workflow::End& end);

  Group& group_;
  std::vector<bool> answers_;          // Of the request that is just run.
  std::map<std::int64_t, Work> work_;  // By batch, so that rows are touched in the order of ids.
  std::map<std::int64_t, bool> workflows_;  // By queue: whether it is one.
};

}  // namespace pgqrs::queue

#endif  // PGQRS_QUEUE_SETTLE_H_
