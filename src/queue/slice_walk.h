// Goes through the slices of whole queues, some at a time.
#ifndef PGQRS_QUEUE_SLICE_WALK_H_
#define PGQRS_QUEUE_SLICE_WALK_H_

#include <cstdint>
#include <functional>
#include <vector>

#include "driver/driver.h"
#include "queue/slice.h"

namespace pgqrs::queue {

// A walk along the index, which goes on where it stopped however many of the slices were left
// there, so that its steps are of one length. What comes into the queue behind the walk's place is
// visited too.
class SliceWalk {
 public:
  // Adds the slices of a queue that become visible after `visible_after`.
  void Add(std::int64_t queue_id, std::int64_t visible_after);

  // Visits the next slices: some milliseconds of work. Answers whether there are more.
  bool Step(driver::Connection& connection, const std::function<void(const Slice&)>& visit);

 private:
  // A part of the index, from behind a slice on.
  struct Range {
    std::int64_t queue_id = 0;
    std::int64_t priority = 0;
    std::int64_t visible_at = 0;
    std::int64_t slice_id = 0;
  };

  std::vector<Range> ranges_;
};

}  // namespace pgqrs::queue

#endif  // PGQRS_QUEUE_SLICE_WALK_H_
