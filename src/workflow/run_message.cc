#include "workflow/run_message.h"

#include <algorithm>
#include <string>

#include "queue/payload_array.h"
#include "queue/rows.h"

namespace pgqrs::workflow {
namespace {

using driver::Value;
using queue::Mask;
using queue::SliceState;
using sql::Statement;

// An array with this payload at its place. What else it needs to get there is null.
std::string WithPayload(std::string_view array, int position, std::string_view payload) {
  std::vector<std::string_view> elements;
  if (!array.empty()) queue::SplitPayloads(array, elements);
  const auto index = static_cast<std::size_t>(position);
  if (elements.size() <= index) elements.resize(index + 1, "null");
  elements[index] = payload;
  std::string made;
  for (const auto& element : elements) {
    made += made.empty() ? '[' : ',';
    made += element;
  }
  return made + ']';
}

}  // namespace

RunMessage::RunMessage(driver::Connection& connection, std::int64_t queue_id,
                       std::int64_t message_id)
    : connection_(connection),
      queue_id_(queue_id),
      id_(message_id),
      bit_(queue::BitOf(message_id)),
      slices_(queue::LockBatchSlices(connection, queue_id, queue::BatchOf(message_id))) {
  // Where several can write, somebody may split the slice meanwhile. Then the message is in a new
  // one, which only another look finds.
  constexpr int kLooks = 3;
  for (int i = 1; i < kLooks && !is_hot() && connection_.works_on_sets(); ++i) {
    slices_ = queue::LockBatchSlices(connection, queue_id, queue::BatchOf(message_id));
  }
}

const SliceState* RunMessage::state() const {
  const auto* slice = slices_.Find(bit_);
  return slice != nullptr ? &slice->state : nullptr;
}

bool RunMessage::HasLease(std::int64_t token) const {
  const auto* found = state();
  return found != nullptr && found->lease_token == token;
}

void RunMessage::NoteReleased(const SliceState& state, Effects& effects) const {
  if (state.lease_token) effects.released[state.worker_id.value_or(0)] += 1;
}

void RunMessage::Set(const SliceState& state) {
  slices_.SetState(bit_, state);
  queue::WriteChanges(connection_, queue_id_, slices_);
  slices_ = queue::BatchSlices(slices_.batch_id(), slices_.slices());
}

void RunMessage::Release(std::int64_t visible_at, bool unread, Effects& effects) {
  const auto* found = state();
  if (found == nullptr) return;
  auto changed = *found;
  NoteReleased(changed, effects);
  if (unread && changed.lease_token && changed.read_count > 0) changed.read_count -= 1;
  changed.lease_token.reset();
  changed.visible_at = std::max(visible_at, effects.now);
  effects.visible.push_back({queue_id_, changed.visible_at});
  Set(changed);
}

void RunMessage::Wake(Effects& effects) {
  const auto* found = state();
  if (found == nullptr || found->lease_token || found->visible_at <= effects.now) return;
  auto changed = *found;
  changed.visible_at = effects.now;
  effects.visible.push_back({queue_id_, changed.visible_at});
  Set(changed);
}

void RunMessage::ForgetReads() {
  const auto* found = state();
  if (found == nullptr || found->read_count <= 1) return;
  auto changed = *found;
  changed.read_count = 1;
  Set(changed);
}

void RunMessage::Archive(Effects& effects) {
  const auto* found = state();
  if (found == nullptr) return;
  NoteReleased(*found, effects);
  queue::InsertArchiveRow(connection_,
                          queue::ArchiveRowOf(slices_.batch_id(), bit_, *found, effects.now));
  slices_.Remove(bit_);
  queue::WriteChanges(connection_, queue_id_, slices_);
  slices_ = queue::BatchSlices(slices_.batch_id(), slices_.slices());
}

void RunMessage::Restore(std::string_view payload, int priority, Effects& effects) {
  if (is_hot()) return Release(effects.now, false, effects);
  TakeFromArchive(payload, effects.now);
  slices_.Insert(bit_, {.queue_id = queue_id_,
                        .priority = priority,
                        .visible_at = effects.now,
                        .worker_id = std::nullopt,
                        .lease_token = std::nullopt,
                        .leased_at = std::nullopt,
                        .last_error = std::nullopt});
  queue::WriteChanges(connection_, queue_id_, slices_);
  slices_ = queue::BatchSlices(slices_.batch_id(), slices_.slices());
  effects.visible.push_back({queue_id_, effects.now});
}

void RunMessage::TakeFromArchive(std::string_view payload, std::int64_t now) {
  const auto batch_id = queue::BatchOf(id_);
  std::vector<queue::ArchiveRow> rows;
  connection_.Run(Statement::kLockArchiveOfBatch, {queue_id_, batch_id},
                  [&](const driver::Row& row) {
                    rows.push_back(queue::ReadArchiveRow(row));
                    return true;
                  });
  const auto row = std::find_if(rows.begin(), rows.end(), [this](const auto& candidate) {
    return (candidate.mask & bit_) != 0;
  });
  if (row != rows.end()) {
    queue::ShrinkArchiveRow(connection_, *row, bit_);
    return;
  }
  // Retention has removed it: the whole batch, or its payload.
  std::string payloads;
  connection_.Run(Statement::kLockBatch, {queue_id_, batch_id}, [&](const driver::Row& found) {
    payloads = found.Text(5);
    return true;
  });
  const auto position = queue::PositionOf(id_);
  const auto made = WithPayload(payloads, position, payload);
  if (payloads.empty()) {
    connection_.Run(Statement::kInsertBatch, {batch_id, queue_id_, std::int64_t{position} + 1, now,
                                              Value(), std::string_view(made)});
  } else {
    connection_.Run(Statement::kSetPayloads, {queue_id_, batch_id, std::string_view(made)});
  }
}

std::int64_t InsertMessage(driver::Connection& connection, std::int64_t batch_id,
                           std::int64_t queue_id, int priority,
                           const std::optional<Duration>& delay, std::int64_t producer_id,
                           std::string_view payload, Effects& effects) {
  const auto visible_at =
      std::max(effects.now, effects.now + (delay ? delay->count() : std::int64_t{0}));
  const auto payloads = "[" + std::string(payload) + "]";
  connection.Run(Statement::kInsertBatch,
                 {batch_id, queue_id, std::int64_t{1}, effects.now,
                  producer_id != 0 ? Value(producer_id) : Value(), std::string_view(payloads)});
  queue::InsertSlice(connection, queue::NewSlice(batch_id, 1,
                                                 {.queue_id = queue_id,
                                                  .priority = priority,
                                                  .visible_at = visible_at,
                                                  .worker_id = std::nullopt,
                                                  .lease_token = std::nullopt,
                                                  .leased_at = std::nullopt,
                                                  .last_error = std::nullopt}));
  effects.visible.push_back({queue_id, visible_at});
  return queue::MessageId(batch_id, 0);
}

std::int64_t ReserveBatchId(driver::Connection& connection) {
  std::int64_t id = 0;
  connection.Run(Statement::kReserveBatchIds, {std::int64_t{1}}, [&](const driver::Row& row) {
    id = row.Int(0);
    return false;
  });
  if (id == 0) throw driver::Failure(driver::Fault::kStorage, "there is no sequence of batch ids");
  return id;
}

}  // namespace pgqrs::workflow
