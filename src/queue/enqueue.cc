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
    auto& batch = BatchFor(*request);
    for (const auto& payload : request->payloads) {
      request->ids.push_back(Append(batch, payload.text()));
    }
  }
  for (auto& batch : open_) Store(batch);
}

EnqueueStep::OpenBatch& EnqueueStep::BatchFor(const EnqueueRequest& request) {
  const auto visible_at = VisibleAt(request, group_.now_);
  const auto producer = group_.WorkerId(*request.producer);
  const auto it = std::find_if(open_.begin(), open_.end(), [&](const OpenBatch& batch) {
    return batch.queue_id == request.queue->id && batch.priority == request.priority &&
           batch.visible_at == visible_at && batch.producer == producer;
  });
  if (it != open_.end()) return *it;
  return open_.emplace_back(OpenBatch{.queue_id = request.queue->id,
                                      .priority = request.priority,
                                      .visible_at = visible_at,
                                      .producer = producer,
                                      .payloads = {}});
}

std::int64_t EnqueueStep::Append(OpenBatch& batch, const std::string& payload) {
  const bool full =
      batch.n == kBatchSize || batch.payloads.size() + payload.size() + 2 > kMaxBatchBytes;
  if (batch.n > 0 && full) Store(batch);
  if (batch.n == 0) batch.id = group_.session_.ids.batches.Next(group_.connection_);
  batch.payloads += batch.n == 0 ? '[' : ',';
  batch.payloads += payload;
  return MessageId(batch.id, batch.n++);
}

void EnqueueStep::Store(OpenBatch& batch) {
  if (batch.n == 0) return;
  batch.payloads += ']';
  auto& connection = group_.connection_;
  connection.Run(Statement::kInsertBatch,
                 {batch.id, batch.queue_id, std::int64_t{batch.n}, group_.now_, batch.producer,
                  std::string_view(batch.payloads)});
  InsertSlice(connection, NewSlice(batch.id, batch.n,
                                   {.queue_id = batch.queue_id,
                                    .priority = batch.priority,
                                    .visible_at = batch.visible_at,
                                    .worker_id = std::nullopt,
                                    .lease_token = std::nullopt,
                                    .leased_at = std::nullopt,
                                    .last_error = std::nullopt}));
  group_.NoteVisible(batch.queue_id, batch.visible_at);
  batch.n = 0;
  batch.payloads.clear();
}

}  // namespace pgqrs::queue
