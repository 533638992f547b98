// Between rows of the message tables and the structures of this folder.
#ifndef PGQRS_QUEUE_ROWS_H_
#define PGQRS_QUEUE_ROWS_H_

#include <pgqrs/time.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "driver/driver.h"
#include "queue/slice.h"

namespace pgqrs::queue {

inline std::int64_t ToMicros(TimePoint time) { return time.time_since_epoch().count(); }
inline TimePoint FromMicros(std::int64_t micros) { return TimePoint(Duration(micros)); }

inline driver::Value ToValue(const std::optional<std::int64_t>& number) {
  return number ? driver::Value(*number) : driver::Value();
}
inline driver::Value ToValue(const std::optional<std::string>& text) {
  return text ? driver::Value(std::string_view(*text)) : driver::Value();
}
inline std::int64_t ToInt(Mask mask) { return static_cast<std::int64_t>(mask); }

// The statements that give slices have these columns first.
Slice ReadSlice(const driver::Row& row);

// The slices of a batch, to be looked at or to be changed.
BatchSlices LoadBatchSlices(driver::Connection& connection, std::int64_t queue_id,
                            std::int64_t batch_id);
BatchSlices LockBatchSlices(driver::Connection& connection, std::int64_t queue_id,
                            std::int64_t batch_id);

// Writes what has changed.
void WriteChanges(driver::Connection& connection, std::int64_t queue_id, const BatchSlices& slices);

void InsertSlice(driver::Connection& connection, const Slice& slice);

// First in a transaction that reads slices as they were at one moment: none of them is missing then
// because the hot set was written anew since.
void HoldSlices(driver::Connection& connection);

// Writes the hot set anew where it has grown, because the server has to keep dead rows. Of use
// every minute or so.
void CompactSlices(driver::Connection& connection);

// A row of pgqrs_archive.
struct ArchiveRow {
  std::int64_t queue_id = 0;
  std::int64_t batch_id = 0;
  Mask mask = 0;
  bool dead = false;
  int priority = 0;
  int read_count = 0;
  std::optional<std::int64_t> worker_id;
  std::optional<std::int64_t> leased_at;
  std::int64_t archived_at = 0;
  std::optional<std::string> reason;
  std::optional<std::string> last_error;
};

// The archive row of messages that leave the hot set with this state.
ArchiveRow ArchiveRowOf(std::int64_t batch_id, Mask mask, const SliceState& state,
                        std::int64_t now);

ArchiveRow ReadArchiveRow(const driver::Row& row);
void InsertArchiveRow(driver::Connection& connection, const ArchiveRow& row);

// Takes messages out of a stored row; a row without messages goes.
void ShrinkArchiveRow(driver::Connection& connection, const ArchiveRow& row, Mask taken);

// A row of pgqrs_batches.
struct BatchRow {
  std::int64_t id = 0;
  std::int64_t queue_id = 0;
  int n = 0;
  std::int64_t enqueued_at = 0;
  std::optional<std::int64_t> producer_worker_id;
  std::string payloads;
};

BatchRow ReadBatchRow(const driver::Row& row);
std::optional<BatchRow> FindBatch(driver::Connection& connection, std::int64_t batch_id);

// Removes the batch where nothing refers to it any more; otherwise replaces the payloads of the
// messages that are gone by null. To be called when these are in no slice and no archive row.
void ForgetPayloads(driver::Connection& connection, std::int64_t queue_id, std::int64_t batch_id,
                    Mask gone);

}  // namespace pgqrs::queue

#endif  // PGQRS_QUEUE_ROWS_H_
