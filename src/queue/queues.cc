#include "queue/queues.h"

#include <pgqrs/error.h>

#include <limits>
#include <optional>
#include <utility>

#include "queue/rows.h"
#include "util/show.h"
#include "workflow/ends.h"

namespace pgqrs::queue {
namespace {

using sql::Statement;

// How many slices or archive rows one step removes: some milliseconds of work.
constexpr std::int64_t kRemovedPerStep = 500;

QueueInfo ReadQueue(const driver::Row& row) {
  return {.id = row.Int(0),
          .queue_name = std::string(row.Text(1)),
          .created_at = FromMicros(row.Int(2))};
}

std::optional<QueueInfo> FindQueue(driver::Connection& connection, std::string_view name) {
  std::optional<QueueInfo> found;
  connection.Run(Statement::kFindQueue, {name}, [&](const driver::Row& row) {
    found = ReadQueue(row);
    return true;
  });
  return found;
}

std::string Named(std::string_view name) { return "queue \"" + std::string(name) + "\""; }

[[noreturn]] void ThrowExists(std::string_view name) {
  throw QueueAlreadyExistsError(Named(name) + " exists already");
}

QueueInfo RequireQueue(driver::Connection& connection, std::string_view name) {
  auto queue = FindQueue(connection, name);
  if (!queue) throw QueueNotFoundError(Named(name) + " does not exist");
  return *std::move(queue);
}

// Without counting them, which would hold up everybody while the queue is long.
bool HasSlices(driver::Connection& connection, std::int64_t queue_id) {
  bool has_slices = false;
  connection.Run(Statement::kLockSlicesOfQueue, {queue_id, std::int64_t{1}},
                 [&](const driver::Row&) {
                   has_slices = true;
                   return true;
                 });
  return has_slices;
}

// Removes slices with their messages.
void RemoveSlices(driver::Connection& connection, const std::vector<Slice>& slices) {
  for (const auto& slice : slices) {
    connection.Run(Statement::kDeleteSlice, {slice.state.queue_id, slice.id});
  }
  for (const auto& slice : slices) {
    ForgetPayloads(connection, slice.state.queue_id, slice.batch_id(), slice.mask);
  }
}

// Removes some of what a closed queue holds. Answers whether there is more.
bool RemoveContents(driver::Connection& connection, std::int64_t queue_id) {
  std::vector<Slice> slices;
  connection.Run(Statement::kLockSlicesOfQueue, {queue_id, kRemovedPerStep},
                 [&](const driver::Row& row) {
                   slices.push_back(ReadSlice(row));
                   return true;
                 });
  RemoveSlices(connection, slices);
  if (!slices.empty()) return true;
  if (workflow::RemoveRunsOfQueue(connection, queue_id, ToMicros(connection.Now()))) return true;

  std::vector<ArchiveRow> rows;
  connection.Run(Statement::kLockArchiveOfQueue, {queue_id, kRemovedPerStep},
                 [&](const driver::Row& row) {
                   rows.push_back(ReadArchiveRow(row));
                   return true;
                 });
  for (const auto& row : rows) {
    ShrinkArchiveRow(connection, row, row.mask);
    ForgetPayloads(connection, queue_id, row.batch_id, row.mask);
  }
  return !rows.empty();
}

}  // namespace

QueueInfo GetQueue(driver::Connection& connection, std::string_view name, IfMissing if_missing) {
  if (auto queue = FindQueue(connection, name)) {
    if (if_missing == IfMissing::kCreateStrictly) ThrowExists(name);
    return *std::move(queue);
  }
  if (if_missing != IfMissing::kFail) {
    std::optional<QueueInfo> made;
    connection.Run(Statement::kInsertQueue, {name, ToMicros(connection.Now())},
                   [&](const driver::Row& row) {
                     made = ReadQueue(row);
                     return true;
                   });
    if (made) return *std::move(made);
    // Another process has made it in this moment.
    if (if_missing == IfMissing::kCreateStrictly) ThrowExists(name);
  }
  return RequireQueue(connection, name);
}

std::exception_ptr QueueIsGone(const QueueRef& queue) {
  return std::make_exception_ptr(
      QueueNotFoundError(Named(queue.name) + " does not exist any more"));
}

void RequireOpen(driver::Connection& connection, const QueueRef& queue) {
  bool is_open = false;
  connection.Run(Statement::kQueueIsOpen, {queue.id}, [&](const driver::Row&) {
    is_open = true;
    return true;
  });
  if (!is_open) std::rethrow_exception(QueueIsGone(queue));
}

std::vector<QueueInfo> ListQueues(driver::Connection& connection) {
  std::vector<QueueInfo> queues;
  connection.Run(Statement::kListQueues, {}, [&](const driver::Row& row) {
    queues.push_back(ReadQueue(row));
    return true;
  });
  return queues;
}

bool QueuePurge::Step(driver::Connection& connection) {
  const auto queue = RequireQueue(connection, name_);
  if (!walk_) {
    walk_.emplace();
    walk_->Add(queue.id, std::numeric_limits<std::int64_t>::min());
  }
  const auto now = ToMicros(connection.Now());
  std::vector<Slice> unheld;
  const bool more = walk_->Step(connection, [&](const Slice& slice) {
    const bool is_held = slice.state.lease_token && slice.state.visible_at > now;
    if (!is_held) unheld.push_back(slice);
  });
  RemoveSlices(connection, unheld);
  workflow::Effects effects;
  effects.now = now;
  for (const auto& slice : unheld) {
    workflow::EndRunsOfMessages(connection, queue.id, slice.batch_id(), slice.mask,
                                workflow::PurgedEnd(), effects);
  }
  for (const auto& slice : unheld) purged_ += Count(slice.mask);
  return more;
}

std::optional<std::int64_t> ClosedQueueRemoval::Next(driver::Connection& connection,
                                                     std::int64_t behind) {
  std::optional<std::int64_t> queue_id;
  connection.Run(Statement::kNextClosedQueue, {behind}, [&](const driver::Row& row) {
    queue_id = row.OptionalInt(0);
    return false;
  });
  return queue_id;
}

bool ClosedQueueRemoval::Step(driver::Connection& connection) {
  const auto queue_id = Next(connection, left_);
  if (!queue_id) return false;
  if (RemoveContents(connection, *queue_id)) return true;
  connection.Run(Statement::kDeleteWorkersOfQueue, {*queue_id});
  connection.Run(Statement::kDeleteWorkflow, {*queue_id});
  connection.Run(Statement::kRemoveQueue, {*queue_id});
  // On a server the first try only notes which transactions are older.
  if (std::exchange(tried_, *queue_id) == *queue_id) left_ = *queue_id;
  return true;
}

bool QueueDeletion::Step(driver::Connection& connection) {
  if (std::exchange(is_closed_, true)) return removal_.Step(connection);
  CloseQueue(connection);
  return true;
}

void QueueDeletion::CloseQueue(driver::Connection& connection) const {
  const auto queue = RequireQueue(connection, name_);
  const auto now = connection.Now();
  if (!force_) {
    if (HasSlices(connection, queue.id)) {
      throw ValidationError(
          Named(name_) +
          " still has messages, waiting, delayed or leased; purge it, or delete with force");
    }
    std::int64_t live = 0;
    connection.Run(Statement::kLiveWorkersOfQueue, {queue.id, ToMicros(now - live_within_)},
                   [&](const driver::Row& row) {
                     live = row.Int(0);
                     return true;
                   });
    if (live > 0) {
      throw ValidationError(Named(name_) + " has " + util::ShowCount(live, "live worker") +
                            "; stop its workers, or delete with force");
    }
  }
  connection.Run(Statement::kCloseQueue, {queue.id, ToMicros(now)});
}

}  // namespace pgqrs::queue
