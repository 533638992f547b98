#include "queue/enqueue.h"

#include <algorithm>

#include "queue/rows.h"
#include "queue/slice.h"

namespace pgqrs::queue {
namespace {

using sql::Statement;

// A batch takes no further message that would make its payloads longer than this.
constexpr std::size_t kMaxBatchBytes = std::size_t{64} << 10;

std::int64_t VisibleAt(const EnqueueRequest& request, std::int64_t now) {
  if (request.delay) return now + request.delay->count();
  if (request.visible_at) return std::max(now, ToMicros(*request.visible_at));
  return now;
}

}  // namespace

void EnqueueStep::Run(const std::vector<EnqueueRequest*>& requests) {
  for (auto* request : requests) {
    request->ids.clear();
    if (!group_.CheckQueue(*request, *request->queue)) continue;
    if (request->payloads.empty()) continue;
    request->ids.reserve(request->payloads.size());
    const auto kind = KindOf(*request);
    auto& batch = open_[kind];
    for (const auto& payload : request->payloads) {
      request->ids.push_back(Append(kind, batch, payload.text()));
    }
  }
  for (auto& [kind, batch] : open_) Store(kind, batch);
}

EnqueueStep::Kind EnqueueStep::KindOf(const EnqueueRequest& request) {
  return {.queue_id = request.queue->id,
          .priority = request.priority,
          .visible_at = VisibleAt(request, group_.now_),
          .producer = group_.WorkerId(*request.producer)};
}

std::int64_t EnqueueStep::Append(const Kind& kind, OpenBatch& batch, const std::string& payload) {
  const bool full =
      batch.n == kBatchSize || batch.payloads.size() + payload.size() + 2 > kMaxBatchBytes;
  if (batch.n > 0 && full) Store(kind, batch);
  if (batch.n == 0) batch.id = group_.session_.ids.batches.Next(group_.connection_);
  batch.payloads += batch.n == 0 ? '[' : ',';
  batch.payloads += payload;
  return MessageId(batch.id, batch.n++);
}

void EnqueueStep::Store(const Kind& kind, OpenBatch& batch) {
  if (batch.n == 0) return;
  batch.payloads += ']';
  auto& connection = group_.connection_;
  connection.Run(Statement::kInsertBatch,
                 {batch.id, kind.queue_id, std::int64_t{batch.n}, group_.now_, kind.producer,
                  std::string_view(batch.payloads)});
  InsertSlice(connection, NewSlice(batch.id, batch.n,
                                   {.queue_id = kind.queue_id,
                                    .priority = kind.priority,
                                    .visible_at = kind.visible_at,
                                    .worker_id = std::nullopt,
                                    .lease_token = std::nullopt,
                                    .leased_at = std::nullopt,
                                    .last_error = std::nullopt}));
  group_.NoteVisible(kind.queue_id, kind.visible_at);
  batch.n = 0;
  batch.payloads.clear();
}

}  // namespace pgqrs::queue
