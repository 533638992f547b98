#include "queue/browse.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "queue/payload_array.h"
#include "queue/rows.h"
#include "queue/slice.h"

namespace pgqrs::queue {
namespace {

using sql::Statement;

std::optional<TimePoint> ToTime(const std::optional<std::int64_t>& micros) {
  return micros ? std::optional(FromMicros(*micros)) : std::nullopt;
}

// Makes records of the messages of one batch.
class BatchReader {
 public:
  BatchReader(BatchRow batch, std::int64_t now) : batch_(std::move(batch)), now_(now) {
    SplitPayloads(batch_.payloads, elements_);
  }

  void Add(const Slice& slice) {
    const auto& state = slice.state;
    ForEachPosition(slice.mask, [&](int position) {
      auto message = NewRecord(position);
      message.state = StateOf(state);
      message.priority = state.priority;
      message.read_count = state.read_count;
      message.visible_at = FromMicros(state.visible_at);
      message.dequeued_at = ToTime(state.leased_at);
      message.worker_id = state.worker_id;
      message.last_error = state.last_error.value_or("");
      messages_.push_back(std::move(message));
    });
  }

  void Add(const ArchiveRow& row) {
    ForEachPosition(row.mask, [&](int position) {
      auto message = NewRecord(position);
      message.state = row.dead ? MessageState::kDead : MessageState::kArchived;
      message.priority = row.priority;
      message.read_count = row.read_count;
      message.dequeued_at = ToTime(row.leased_at);
      message.archived_at = FromMicros(row.archived_at);
      message.worker_id = row.worker_id;
      message.reason = row.reason.value_or("");
      message.last_error = row.last_error.value_or("");
      messages_.push_back(std::move(message));
    });
  }

  // Appends those behind `after_id`, in the order of their ids.
  void MoveTo(std::vector<MessageInfo>& page, std::int64_t after_id) {
    std::sort(messages_.begin(), messages_.end(),
              [](const MessageInfo& a, const MessageInfo& b) { return a.id < b.id; });
    for (auto& message : messages_) {
      if (message.id > after_id) page.push_back(std::move(message));
    }
    messages_.clear();
  }

 private:
  MessageInfo NewRecord(int position) const {
    MessageInfo message;
    message.id = MessageId(batch_.id, position);
    message.queue_id = batch_.queue_id;
    message.payload =
        Json::FromTrusted(std::string(elements_.at(static_cast<std::size_t>(position))));
    message.enqueued_at = FromMicros(batch_.enqueued_at);
    message.producer_worker_id = batch_.producer_worker_id;
    return message;
  }

  MessageState StateOf(const SliceState& state) const {
    if (state.visible_at <= now_) return MessageState::kWaiting;
    return state.lease_token ? MessageState::kLeased : MessageState::kDelayed;
  }

  const BatchRow batch_;
  const std::int64_t now_;
  std::vector<std::string_view> elements_;  // Into batch_.
  std::vector<MessageInfo> messages_;
};

// Every message of a batch.
void AddWholeBatch(driver::Connection& connection, const BatchRow& batch, std::int64_t after_id,
                   std::vector<MessageInfo>& page) {
  BatchReader reader(batch, ToMicros(connection.Now()));
  const auto slices = LoadBatchSlices(connection, batch.queue_id, batch.id);
  for (const auto& slice : slices.slices()) reader.Add(slice);
  connection.Run(Statement::kArchiveOfBatch, {batch.queue_id, batch.id},
                 [&](const driver::Row& row) {
                   reader.Add(ReadArchiveRow(row));
                   return true;
                 });
  reader.MoveTo(page, after_id);
}

void CutTo(std::vector<MessageInfo>& messages, int limit) {
  if (messages.size() > static_cast<std::size_t>(limit)) {
    messages.resize(static_cast<std::size_t>(limit));
  }
}

std::vector<MessageInfo> ListArchive(driver::Connection& connection, Statement list,
                                     std::int64_t queue_id, const Page& page) {
  // A batch has at most 64 rows. The first one may lie before the page with all of them, and with
  // 64 more the last batch that is needed is a whole one.
  const std::int64_t row_limit = std::int64_t{page.limit} + std::int64_t{2} * kBatchSize;
  std::vector<ArchiveRow> rows;
  connection.Run(list, {queue_id, BatchOf(page.after_id), row_limit}, [&](const driver::Row& row) {
    rows.push_back(ReadArchiveRow(row));
    return true;
  });
  std::vector<MessageInfo> messages;
  for (auto begin = rows.begin(); begin != rows.end();) {
    if (messages.size() >= static_cast<std::size_t>(page.limit)) break;
    const auto end = std::find_if(
        begin, rows.end(), [&](const ArchiveRow& row) { return row.batch_id != begin->batch_id; });
    if (auto batch = FindBatch(connection, begin->batch_id)) {
      BatchReader reader(*std::move(batch), ToMicros(connection.Now()));
      for (auto it = begin; it != end; ++it) reader.Add(*it);
      reader.MoveTo(messages, page.after_id);
    }
    begin = end;
  }
  CutTo(messages, page.limit);
  return messages;
}

}  // namespace

std::optional<MessageInfo> FindMessage(driver::Connection& connection, std::int64_t message_id) {
  if (message_id <= 0) return std::nullopt;
  HoldSlices(connection);
  const auto batch = FindBatch(connection, BatchOf(message_id));
  if (!batch) return std::nullopt;
  std::vector<MessageInfo> messages;
  AddWholeBatch(connection, *batch, message_id - 1, messages);
  if (messages.empty() || messages.front().id != message_id) return std::nullopt;
  return std::move(messages.front());
}

std::vector<MessageInfo> ListMessages(driver::Connection& connection, const Page& page) {
  HoldSlices(connection);
  std::vector<BatchRow> batches;
  connection.Run(Statement::kScanBatches,
                 {BatchOf(page.after_id) - 1, std::int64_t{page.limit} + 1},
                 [&](const driver::Row& row) {
                   batches.push_back(ReadBatchRow(row));
                   return true;
                 });
  std::vector<MessageInfo> messages;
  for (const auto& batch : batches) {
    if (messages.size() >= static_cast<std::size_t>(page.limit)) break;
    AddWholeBatch(connection, batch, page.after_id, messages);
  }
  CutTo(messages, page.limit);
  return messages;
}

std::vector<MessageInfo> ListFinished(driver::Connection& connection, std::int64_t queue_id,
                                      const Page& page) {
  return ListArchive(connection, Statement::kListFinished, queue_id, page);
}

std::vector<MessageInfo> ListDead(driver::Connection& connection, std::int64_t queue_id,
                                  const Page& page) {
  return ListArchive(connection, Statement::kListDead, queue_id, page);
}

}  // namespace pgqrs::queue
