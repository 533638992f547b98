// What the lanes of one store know together.
#ifndef PGQRS_QUEUE_SHARED_STATE_H_
#define PGQRS_QUEUE_SHARED_STATE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "driver/driver.h"
#include "queue/request.h"
#include "queue/scan_hints.h"

namespace pgqrs::queue {

// Counts what workers of this process hold. Any thread may call it at any time.
class Holders {
 public:
  // The worker was handed out n messages.
  void Took(const std::shared_ptr<Worker>& worker, std::int64_t n);
  // n messages that this worker held were settled.
  void Settled(std::int64_t worker_id, std::int64_t n);

 private:
  std::mutex mutex_;
  std::unordered_map<std::int64_t, std::weak_ptr<Worker>> workers_;  // By id.
  std::size_t sweep_at_ = 256;  // At this size those that are gone are taken out.
};

// The queues of batches of which messages were handed out lately: a caller may name a message by
// its id alone. Any thread may call it at any time.
class QueuesOfBatches {
 public:
  void Note(std::int64_t batch_id, std::int64_t queue_id);
  // 0 where it is not known.
  std::int64_t Find(std::int64_t batch_id);

 private:
  std::mutex mutex_;
  std::unordered_map<std::int64_t, std::int64_t> queues_;
};

// Numbers that are reserved in the database some at a time and given out here, in their order. The
// numbers are used after the reservation was committed, or with it: otherwise a server that crashes
// could give them again. Any thread may call it at any time.
class IdBlock {
 public:
  explicit IdBlock(sql::Statement reserve) : reserve_(reserve) {}

  std::int64_t Next(driver::Connection& connection);

  // Which numbers are left, to go back to where the transaction that took some is undone, and the
  // reservation with it.
  struct State {
    std::int64_t next = 0;
    std::int64_t end = 0;
  };
  State state() const;
  void Restore(const State& state);

 private:
  const sql::Statement reserve_;
  mutable std::mutex mutex_;
  State state_;
};

struct SharedState {
  IdBlock batch_ids{sql::Statement::kReserveBatchIds};
  IdBlock lease_tokens{sql::Statement::kReserveLeaseTokens};
  ScanHints hints;
  Holders holders;
  QueuesOfBatches queues_of_batches;
};

}  // namespace pgqrs::queue

#endif  // PGQRS_QUEUE_SHARED_STATE_H_
