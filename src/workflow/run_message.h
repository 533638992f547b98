// The message of a run: what runs do to it, whoever holds it.
#ifndef PGQRS_WORKFLOW_RUN_MESSAGE_H_
#define PGQRS_WORKFLOW_RUN_MESSAGE_H_

#include <cstdint>
#include <map>
#include <string_view>
#include <vector>

#include "driver/driver.h"
#include "queue/request.h"
#include "queue/slice.h"

namespace pgqrs::workflow {

// When a message becomes visible that only something else than time can wake: in the year 9999.
inline constexpr std::int64_t kNever = 253'402'300'799'000'000;

// What a transaction on runs does beside what it stores, to be made known after the commit.
struct Effects {
  struct Visible {
    std::int64_t queue_id;
    std::int64_t at;
  };

  std::int64_t now = 0;
  bool cancels_families = false;    // Further steps cancel the children of what is cancelled.
  std::vector<Visible> visible;     // Messages that became visible, or will.
  std::vector<std::int64_t> ended;  // Runs.
  std::map<std::int64_t, std::int64_t> released;  // Messages that workers hold no more, by worker.
};

// A message of the hot set. It is locked from here to the end of the transaction; changes are
// written at once.
class RunMessage {
 public:
  RunMessage(driver::Connection& connection, std::int64_t queue_id, std::int64_t message_id);

  bool is_hot() const { return state() != nullptr; }
  bool HasLease(std::int64_t token) const;
  // Whether time does not make it visible.
  bool is_hidden() const { return is_hot() && state()->visible_at >= kNever; }

  // Takes whoever holds it its lease. `unread` takes the read back.
  void Release(std::int64_t visible_at, bool unread, Effects& effects);
  // Makes it visible now, unless it is or somebody holds it.
  void Wake(Effects& effects);
  // Counts its reads from 1 again.
  void ForgetReads();
  void Archive(Effects& effects);
  // Puts it back from the archive, or makes it anew where retention has removed it.
  void Restore(std::string_view payload, int priority, Effects& effects);

 private:
  const queue::SliceState* state() const;
  void NoteReleased(const queue::SliceState& state, Effects& effects) const;
  void Set(const queue::SliceState& state);
  void TakeFromArchive(std::string_view payload, std::int64_t now);

  driver::Connection& connection_;
  const std::int64_t queue_id_;
  const std::int64_t id_;
  const queue::Mask bit_;
  queue::BatchSlices slices_;
};

// Stores a message alone in a batch of that id, and gives the message's id.
std::int64_t InsertMessage(driver::Connection& connection, std::int64_t batch_id,
                           std::int64_t queue_id, int priority,
                           const std::optional<Duration>& delay, std::int64_t producer_id,
                           std::string_view payload, Effects& effects);

// Reserves a batch id in the transaction that uses it.
std::int64_t ReserveBatchId(driver::Connection& connection);

}  // namespace pgqrs::workflow

#endif  // PGQRS_WORKFLOW_RUN_MESSAGE_H_
