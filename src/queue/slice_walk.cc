#include "queue/slice_walk.h"

#include <limits>

#include "queue/request.h"
#include "queue/rows.h"

namespace pgqrs::queue {
namespace {

// How many slices one step visits, and how many of these the look into a range counts for.
constexpr std::int64_t kSlicesPerStep = 500;
constexpr std::int64_t kRangeCost = 5;

}  // namespace

void SliceWalk::Add(std::int64_t queue_id, std::int64_t visible_after) {
  for (std::int64_t priority = 0; priority < kPriorities; ++priority) {
    ranges_.push_back({.queue_id = queue_id,
                       .priority = priority,
                       .visible_at = visible_after,
                       .slice_id = std::numeric_limits<std::int64_t>::max()});
  }
}

bool SliceWalk::Step(driver::Connection& connection,
                     const std::function<void(const Slice&)>& visit) {
  std::int64_t budget = kSlicesPerStep;
  while (!ranges_.empty() && budget > 0) {
    auto& range = ranges_.back();
    std::vector<Slice> slices;
    connection.Run(sql::Statement::kLockSlicesBehind,
                   {range.queue_id, range.priority, range.visible_at, range.slice_id, budget},
                   [&](const driver::Row& row) {
                     slices.push_back(ReadSlice(row));
                     return true;
                   });
    for (const auto& slice : slices) visit(slice);
    if (static_cast<std::int64_t>(slices.size()) < budget) {
      ranges_.pop_back();
    } else {
      range.visible_at = slices.back().state.visible_at;
      range.slice_id = slices.back().id;
    }
    budget -= static_cast<std::int64_t>(slices.size()) + kRangeCost;
  }
  return !ranges_.empty();
}

}  // namespace pgqrs::queue
