#include "queue/rows.h"

#include <utility>

#include "queue/payload_array.h"

namespace pgqrs::queue {
namespace {

using sql::Statement;

std::optional<std::string> OptionalText(const driver::Row& row, int column) {
  return row.IsNull(column) ? std::nullopt : std::optional(std::string(row.Text(column)));
}

std::optional<BatchRow> ReadBatch(driver::Connection& connection, Statement statement,
                                  std::initializer_list<driver::Value> key) {
  std::optional<BatchRow> batch;
  connection.Run(statement, key, [&](const driver::Row& row) {
    batch = ReadBatchRow(row);
    return false;
  });
  return batch;
}

BatchSlices ReadBatchSlices(driver::Connection& connection, Statement statement,
                            std::int64_t queue_id, std::int64_t batch_id) {
  std::vector<Slice> slices;
  connection.Run(statement, {queue_id, batch_id}, [&](const driver::Row& row) {
    slices.push_back(ReadSlice(row));
    return true;
  });
  return BatchSlices(batch_id, std::move(slices));
}

}  // namespace

Slice ReadSlice(const driver::Row& row) {
  return {.id = row.Int(0),
          .mask = static_cast<Mask>(row.Int(4)),
          .state = {.queue_id = row.Int(1),
                    .priority = static_cast<int>(row.Int(2)),
                    .visible_at = row.Int(3),
                    .read_count = static_cast<int>(row.Int(6)),
                    .worker_id = row.OptionalInt(7),
                    .lease_token = row.OptionalInt(8),
                    .leased_at = row.OptionalInt(9),
                    .last_error = OptionalText(row, 10)}};
}

BatchSlices LoadBatchSlices(driver::Connection& connection, std::int64_t queue_id,
                            std::int64_t batch_id) {
  return ReadBatchSlices(connection, Statement::kSlicesOfBatch, queue_id, batch_id);
}

BatchSlices LockBatchSlices(driver::Connection& connection, std::int64_t queue_id,
                            std::int64_t batch_id) {
  return ReadBatchSlices(connection, Statement::kLockSlicesOfBatch, queue_id, batch_id);
}

void InsertSlice(driver::Connection& connection, const Slice& slice) {
  const auto& state = slice.state;
  connection.Run(
      Statement::kInsertSlice,
      {slice.id, state.queue_id, std::int64_t{state.priority}, state.visible_at, ToInt(slice.mask),
       std::int64_t{Count(slice.mask)}, std::int64_t{state.read_count}, ToValue(state.worker_id),
       ToValue(state.lease_token), ToValue(state.leased_at), ToValue(state.last_error)});
}

void HoldSlices(driver::Connection& connection) {
  if (connection.works_on_sets()) connection.Run(Statement::kHoldSlices, {});
}

void CompactSlices(driver::Connection& connection) {
  constexpr std::int64_t kLeastBytes = 64 << 20;
  bool may_compact = false;
  const driver::RowSink note = [&](const driver::Row&) { return may_compact = true; };
  connection.Run(Statement::kMayCompactSlices, {kLeastBytes}, note);
  // Without waiting for an answer: the end of the transaction is with the server then, and no lock
  // outlives a client that is gone.
  if (may_compact) connection.Run(Statement::kCompactSlices, {kLeastBytes});
}

void WriteChanges(driver::Connection& connection, std::int64_t queue_id,
                  const BatchSlices& slices) {
  const auto changes = slices.Changes();
  for (const auto id : changes.deleted) connection.Run(Statement::kDeleteSlice, {queue_id, id});
  for (const auto& slice : changes.resized) {
    connection.Run(Statement::kShrinkSlice,
                   {queue_id, slice.id, ToInt(slice.mask), std::int64_t{Count(slice.mask)}});
  }
  for (const auto& slice : changes.updated) {
    const auto& state = slice.state;
    connection.Run(
        Statement::kUpdateSlice,
        {queue_id, slice.id, state.visible_at, ToInt(slice.mask), std::int64_t{Count(slice.mask)},
         std::int64_t{state.read_count}, ToValue(state.worker_id), ToValue(state.lease_token),
         ToValue(state.leased_at), ToValue(state.last_error)});
  }
  for (const auto& slice : changes.inserted) InsertSlice(connection, slice);
}

ArchiveRow ArchiveRowOf(std::int64_t batch_id, Mask mask, const SliceState& state,
                        std::int64_t now) {
  return {.queue_id = state.queue_id,
          .batch_id = batch_id,
          .mask = mask,
          .priority = state.priority,
          .read_count = state.read_count,
          .worker_id = state.worker_id,
          .leased_at = state.leased_at,
          .archived_at = now,
          .reason = std::nullopt,
          .last_error = state.last_error};
}

ArchiveRow ReadArchiveRow(const driver::Row& row) {
  return {.queue_id = row.Int(0),
          .batch_id = row.Int(1),
          .mask = static_cast<Mask>(row.Int(2)),
          .dead = row.Int(4) != 0,
          .priority = static_cast<int>(row.Int(5)),
          .read_count = static_cast<int>(row.Int(6)),
          .worker_id = row.OptionalInt(7),
          .leased_at = row.OptionalInt(8),
          .archived_at = row.Int(9),
          .reason = OptionalText(row, 10),
          .last_error = OptionalText(row, 11)};
}

void InsertArchiveRow(driver::Connection& connection, const ArchiveRow& row) {
  connection.Run(Statement::kInsertArchive,
                 {row.queue_id, row.batch_id, ToInt(row.mask), std::int64_t{Count(row.mask)},
                  std::int64_t{row.dead}, std::int64_t{row.priority}, std::int64_t{row.read_count},
                  ToValue(row.worker_id), ToValue(row.leased_at), row.archived_at,
                  ToValue(row.reason), ToValue(row.last_error)});
}

void ShrinkArchiveRow(driver::Connection& connection, const ArchiveRow& row, Mask taken) {
  const Mask rest = row.mask & ~taken;
  if (rest == 0) {
    connection.Run(Statement::kDeleteArchive, {row.queue_id, row.batch_id, ToInt(row.mask)});
  } else {
    connection.Run(Statement::kShrinkArchive, {row.queue_id, row.batch_id, ToInt(row.mask),
                                               ToInt(rest), std::int64_t{Count(rest)}});
  }
}

BatchRow ReadBatchRow(const driver::Row& row) {
  return {.id = row.Int(0),
          .queue_id = row.Int(1),
          .n = static_cast<int>(row.Int(2)),
          .enqueued_at = row.Int(3),
          .producer_worker_id = row.OptionalInt(4),
          .payloads = std::string(row.Text(5))};
}

std::optional<BatchRow> FindBatch(driver::Connection& connection, std::int64_t batch_id) {
  return ReadBatch(connection, Statement::kFindBatch, {batch_id});
}

void ForgetPayloads(driver::Connection& connection, std::int64_t queue_id, std::int64_t batch_id,
                    Mask gone) {
  // First the lock: of two that forget parts of a batch the second has to see what the first did.
  const auto batch = ReadBatch(connection, Statement::kLockBatch, {queue_id, batch_id});
  if (!batch) return;
  bool is_deleted = false;
  connection.Run(Statement::kDeleteUnusedBatch, {queue_id, batch_id}, [&](const driver::Row&) {
    is_deleted = true;
    return true;
  });
  if (is_deleted) return;
  const auto blanked = BlankPayloads(batch->payloads, gone);
  connection.Run(Statement::kSetPayloads, {queue_id, batch_id, std::string_view(blanked)});
}

}  // namespace pgqrs::queue
