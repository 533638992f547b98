#include "queue/enqueue.h"

#include <algorithm>
#include <utility>

#include "queue/rows.h"
#include "queue/slice.h"
#include "workflow/run_rows.h"

namespace pgqrs::queue {
namespace {

using sql::Statement;

// A batch takes no further message that would make its payloads longer than this.
constexpr std::size_t kMaxBatchBytes = std::size_t{64} << 10;

std::int64_t VisibleAt(const BatchKind& kind, std::int64_t now) {
  return std::max(now, kind.visible_at.value_or(now + kind.delay.value_or(0)));
}

}  // namespace

void BatchFormer::Add(EnqueueRequest& request) {
  request.ids.clear();
  if (request.payloads.empty()) return;
  BatchKind kind = {.queue_id = request.queue->id,
                    .priority = request.priority,
                    .visible_at = std::nullopt,
                    .delay = std::nullopt,
                    .producer = group_.WorkerId(*request.producer)};
  if (request.delay) {
    kind.delay = request.delay->count();
  } else if (request.visible_at) {
    kind.visible_at = ToMicros(*request.visible_at);
  }
  request.ids.reserve(request.payloads.size());
  auto& batch = open_[kind];
  for (const auto& payload : request.payloads) {
    request.ids.push_back(Append(kind, batch, payload.text()));
  }
}

void BatchFormer::Finish() {
  for (auto& [kind, batch] : open_) Store(kind, batch);
}

std::int64_t BatchFormer::Append(const BatchKind& kind, NewBatch& batch,
                                 const std::string& payload) {
  const bool full =
      batch.n == kBatchSize || batch.payloads.size() + payload.size() + 2 > kMaxBatchBytes;
  if (batch.n > 0 && full) Store(kind, batch);
  if (batch.n == 0) batch.id = group_.NextBatchId();
  batch.payloads += batch.n == 0 ? '[' : ',';
  batch.payloads += payload;
  return MessageId(batch.id, batch.n++);
}

void BatchFormer::Store(const BatchKind& kind, NewBatch& batch) {
  if (batch.n == 0) return;
  batch.payloads += ']';
  store_(kind, std::exchange(batch, {}));
}

void EnqueueStep::Run(const std::vector<EnqueueRequest*>& requests) {
  BatchFormer former(group_,
                     [this](const BatchKind& kind, const NewBatch& batch) { Store(kind, batch); });
  for (auto* request : requests) {
    request->ids.clear();
    if (group_.CheckQueue(*request, *request->queue)) former.Add(*request);
  }
  former.Finish();
  for (const auto* request : requests) {
    if (request->runs) StoreRuns(*request);
  }
}

void EnqueueStep::StoreRuns(const EnqueueRequest& request) {
  workflow::NewRun run;
  run.queue_id = request.queue->id;
  run.version = workflow::ToOptional(request.runs->version);
  run.priority = request.priority;
  for (std::size_t i = 0; i < request.ids.size(); ++i) {
    run.id = request.ids[i];
    run.input = request.payloads[i].text();
    workflow::InsertRun(group_.connection_, run, group_.now_);
  }
}

void EnqueueStep::Store(const BatchKind& kind, const NewBatch& batch) {
  const auto visible_at = VisibleAt(kind, group_.now_);
  auto& connection = group_.connection_;
  connection.Run(Statement::kInsertBatch,
                 {batch.id, kind.queue_id, std::int64_t{batch.n}, group_.now_, kind.producer,
                  std::string_view(batch.payloads)});
  InsertSlice(connection, NewSlice(batch.id, batch.n,
                                   {.queue_id = kind.queue_id,
                                    .priority = kind.priority,
                                    .visible_at = visible_at,
                                    .worker_id = std::nullopt,
                                    .lease_token = std::nullopt,
                                    .leased_at = std::nullopt,
                                    .last_error = std::nullopt}));
  group_.NoteVisible(kind.queue_id, visible_at);
}

}  // namespace pgqrs::queue
