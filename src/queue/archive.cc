#include "queue/archive.h"

#include <algorithm>
#include <vector>

#include "queue/rows.h"
#include "queue/slice.h"
#include "workflow/ends.h"

namespace pgqrs::queue {
namespace {

using sql::Statement;

// How many rows one step looks at.
constexpr std::int64_t kRowsPerStep = 500;

std::vector<ArchiveRow> LockRows(driver::Connection& connection, Statement list,
                                 std::int64_t queue_id, std::int64_t first_batch) {
  std::vector<ArchiveRow> rows;
  connection.Run(list, {queue_id, first_batch, kRowsPerStep}, [&](const driver::Row& row) {
    rows.push_back(ReadArchiveRow(row));
    return true;
  });
  return rows;
}

std::vector<ArchiveRow> LockRowsOfBatch(driver::Connection& connection, std::int64_t queue_id,
                                        std::int64_t batch_id) {
  std::vector<ArchiveRow> rows;
  connection.Run(Statement::kLockArchiveOfBatch, {queue_id, batch_id}, [&](const driver::Row& row) {
    rows.push_back(ReadArchiveRow(row));
    return true;
  });
  return rows;
}

void Replay(driver::Connection& connection, const ArchiveRow& row, Mask part) {
  ShrinkArchiveRow(connection, row, part);
  auto slices = LockBatchSlices(connection, row.queue_id, row.batch_id);
  slices.Insert(part, {.queue_id = row.queue_id,
                       .priority = row.priority,
                       .visible_at = ToMicros(connection.Now()),
                       .worker_id = std::nullopt,
                       .lease_token = std::nullopt,
                       .leased_at = std::nullopt,
                       .last_error = std::nullopt});
  WriteChanges(connection, row.queue_id, slices);
  workflow::RequeueRunsOfMessages(connection, row.queue_id, row.batch_id, part,
                                  ToMicros(connection.Now()));
}

void Remove(driver::Connection& connection, const ArchiveRow& row, Mask part) {
  ShrinkArchiveRow(connection, row, part);
  ForgetPayloads(connection, row.queue_id, row.batch_id, part);
}

}  // namespace

bool ReplayDeadLetter(driver::Connection& connection, std::int64_t queue_id,
                      std::int64_t message_id) {
  if (message_id <= 0) return false;
  const Mask bit = BitOf(message_id);
  const auto rows = LockRowsOfBatch(connection, queue_id, BatchOf(message_id));
  const auto row = std::find_if(rows.begin(), rows.end(), [bit](const ArchiveRow& candidate) {
    return candidate.dead && (candidate.mask & bit) != 0;
  });
  if (row == rows.end()) return false;
  Replay(connection, *row, bit);
  return true;
}

bool DeadLetterSweep::Step(driver::Connection& connection) {
  const auto rows = LockRows(connection, Statement::kLockDead, queue_id_, next_batch_);
  for (const auto& row : rows) {
    switch (fate_) {
      case Fate::kReplay:
        Replay(connection, row, row.mask);
        break;
      case Fate::kPurge:
        Remove(connection, row, row.mask);
        break;
    }
    count_ += Count(row.mask);
    next_batch_ = row.batch_id;  // More of its rows may come in the next step.
  }
  return static_cast<std::int64_t>(rows.size()) == kRowsPerStep;
}

bool Retention::Step(driver::Connection& connection) {
  if (!is_cut_known_) return FindCut(connection);
  if (may_drop_ && connection.works_on_sets()) return DropPartition(connection);
  return RemoveSome(connection);
}

// Counts from the newest batch down until the number to keep is reached.
bool Retention::FindCut(driver::Connection& connection) {
  std::int64_t batches = 0;
  connection.Run(Statement::kCountFinishedFromNewest, {queue_id_, cut_batch_, kRowsPerStep},
                 [&](const driver::Row& row) {
                   ++batches;
                   cut_batch_ = row.Int(0);
                   left_to_keep_ -= row.Int(1);
                   return left_to_keep_ > 0;
                 });
  if (left_to_keep_ <= 0) {
    CutBatch(connection, static_cast<int>(-left_to_keep_));
    is_cut_known_ = true;
    return true;
  }
  if (batches == kRowsPerStep) return true;
  // Fewer are there than may stay; the age alone decides.
  is_cut_known_ = true;
  cut_batch_ = 0;
  return policy_.max_age.has_value();
}

// The first n finished messages of the batch at the cut go, in whatever rows they lie.
void Retention::CutBatch(driver::Connection& connection, int n) {
  Mask finished = 0;
  for (const auto& row : LockRowsOfBatch(connection, queue_id_, cut_batch_)) {
    if (!row.dead) finished |= row.mask;
  }
  cut_messages_ = LowestBits(finished, n);
}

bool Retention::DropPartition(driver::Connection& connection) {
  using driver::Value;
  may_drop_ = false;
  connection.Run(
      Statement::kDropOldestPartition,
      {queue_id_, policy_.max_age ? Value(ToMicros(connection.Now() - *policy_.max_age)) : Value(),
       policy_.max_count ? Value(cut_batch_) : Value()},
      [&](const driver::Row& row) {
        may_drop_ = !row.IsNull(0);
        removed_ += row.Int(0);
        return false;
      });
  return true;
}

bool Retention::RemoveSome(driver::Connection& connection) {
  const auto rows = LockRows(connection, Statement::kLockFinished, queue_id_, next_batch_);
  const auto oldest = policy_.max_age ? ToMicros(connection.Now() - *policy_.max_age)
                                      : std::numeric_limits<std::int64_t>::min();
  for (const auto& row : rows) {
    next_batch_ = row.batch_id;
    Mask part = 0;
    if (row.archived_at < oldest || (policy_.max_count && row.batch_id < cut_batch_)) {
      part = row.mask;
    } else if (policy_.max_count && row.batch_id == cut_batch_) {
      part = row.mask & cut_messages_;
    }
    if (part == 0) continue;
    Remove(connection, row, part);
    removed_ += Count(part);
  }
  if (static_cast<std::int64_t>(rows.size()) < kRowsPerStep) return false;
  // A whole step of rows of one batch cannot be (it has 64 at most), so the next one moves on.
  return policy_.max_age || next_batch_ <= cut_batch_;
}

}  // namespace pgqrs::queue
