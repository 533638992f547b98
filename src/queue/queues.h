// Queues as a whole: found, created, emptied, removed.
#ifndef PGQRS_QUEUE_QUEUES_H_
#define PGQRS_QUEUE_QUEUES_H_

#include <pgqrs/records.h>
#include <pgqrs/time.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "driver/driver.h"
#include "queue/request.h"
#include "queue/slice_walk.h"

namespace pgqrs::queue {

enum class IfMissing : std::uint8_t { kCreate, kCreateStrictly, kFail };

// Throws QueueAlreadyExistsError or QueueNotFoundError as the mode says.
QueueInfo GetQueue(driver::Connection& connection, std::string_view name, IfMissing if_missing);

// What a request for a queue gets that was deleted.
std::exception_ptr QueueIsGone(const QueueRef& queue);

// Throws QueueNotFoundError where the queue was deleted.
void RequireOpen(driver::Connection& connection, const QueueRef& queue);

std::vector<QueueInfo> ListQueues(driver::Connection& connection);

// Removes the waiting and delayed messages of a queue, some at a time.
class QueuePurge {
 public:
  explicit QueuePurge(std::string name) : name_(std::move(name)) {}

  // Answers whether there is more to do. Throws QueueNotFoundError.
  bool Step(driver::Connection& connection);
  std::int64_t purged() const { return purged_; }

 private:
  std::string name_;
  std::optional<SliceWalk> walk_;
  std::int64_t purged_ = 0;
};

// Removes what is left of queues that were closed for deletion, some at a time. On a server a
// transaction that is older may yet put something into such a queue; its row stays then, and who
// looks for closed queues later removes it.
class ClosedQueueRemoval {
 public:
  // Answers whether there is more to do.
  bool Step(driver::Connection& connection);

  // Whether there is anything to do.
  static bool IsNeeded(driver::Connection& connection) { return Next(connection, 0).has_value(); }

 private:
  static std::optional<std::int64_t> Next(driver::Connection& connection, std::int64_t behind);

  std::int64_t tried_ = 0;  // The last one whose row was to be removed.
  std::int64_t left_ = 0;   // The last one that was left after a second try.
};

// Removes a queue with everything in it, some at a time. The first step decides whether it may be
// removed and closes it: from there on nobody finds it. Were the process to end then, the next one
// that opens the database would finish the work.
class QueueDeletion {
 public:
  // A worker of the queue counts as live where its heartbeat is no older than `live_within`.
  QueueDeletion(std::string name, bool force, Duration live_within)
      : name_(std::move(name)), force_(force), live_within_(live_within) {}

  // Answers whether there is more to do.
  bool Step(driver::Connection& connection);

 private:
  void CloseQueue(driver::Connection& connection) const;

  std::string name_;
  bool force_;
  Duration live_within_;
  bool is_closed_ = false;
  ClosedQueueRemoval removal_;
};

}  // namespace pgqrs::queue

#endif  // PGQRS_QUEUE_QUEUES_H_
