// Work on finished and dead messages, some at a time.
#ifndef PGQRS_QUEUE_ARCHIVE_H_
#define PGQRS_QUEUE_ARCHIVE_H_

#include <pgqrs/records.h>

#include <cstdint>
#include <limits>

#include "driver/driver.h"
#include "queue/slice.h"

namespace pgqrs::queue {

// Makes one dead letter of the queue visible again. Answers false where it is none.
bool ReplayDeadLetter(driver::Connection& connection, std::int64_t queue_id,
                      std::int64_t message_id);

// Goes through the dead letters of a queue once. Step answers whether there is more to do.
class DeadLetterSweep {
 public:
  enum class Fate : std::uint8_t { kReplay, kPurge };

  DeadLetterSweep(std::int64_t queue_id, Fate fate) : queue_id_(queue_id), fate_(fate) {}

  bool Step(driver::Connection& connection);
  std::int64_t count() const { return count_; }

 private:
  std::int64_t queue_id_;
  Fate fate_;
  std::int64_t next_batch_ = 0;
  std::int64_t count_ = 0;
};

// Removes the finished messages of a queue that a policy excludes: whole partitions where the
// database has some and all that they hold may go, and then row by row.
class Retention {
 public:
  Retention(std::int64_t queue_id, const RetentionPolicy& policy)
      : queue_id_(queue_id),
        policy_(policy),
        left_to_keep_(policy.max_count.value_or(std::numeric_limits<std::int64_t>::max())),
        is_cut_known_(!policy.max_count) {}

  bool Step(driver::Connection& connection);
  std::int64_t removed() const { return removed_; }

 private:
  bool FindCut(driver::Connection& connection);
  void CutBatch(driver::Connection& connection, int n);
  bool DropPartition(driver::Connection& connection);
  bool RemoveSome(driver::Connection& connection);

  std::int64_t queue_id_;
  RetentionPolicy policy_;
  std::int64_t removed_ = 0;

  // By number: all of the batches below the cut goes, and some messages of the batch at it.
  std::int64_t left_to_keep_;
  bool is_cut_known_;
  std::int64_t cut_batch_ = std::numeric_limits<std::int64_t>::max();
  Mask cut_messages_ = 0;

  bool may_drop_ = true;  // Until a partition has to stay.
  std::int64_t next_batch_ = 0;
};

}  // namespace pgqrs::queue

#endif  // PGQRS_QUEUE_ARCHIVE_H_
