#include "queue/set_steps.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "queue/columns.h"
#include "queue/queues.h"
#include "queue/rows.h"

namespace pgqrs::queue {
namespace {

using driver::Scalar;
using driver::Value;
using sql::Statement;

Scalar OrNull(const std::optional<std::int64_t>& number) {
  return number ? Scalar(*number) : Scalar();
}
Scalar OrNull(std::int64_t number) { return number != 0 ? Scalar(number) : Scalar(); }

}  // namespace

void SetSteps::Prepare(const std::vector<EnqueueRequest*>& enqueues,
                       const std::vector<DequeueRequest*>& dequeues) {
  FormBatches(enqueues);
  dequeue_.Prepare(dequeues);
}

void SetSteps::Send(const std::vector<SettleRequest*>& settles,
                    const std::vector<workflow::RunRequest*>& on_runs) {
  const bool all_are_acks = std::all_of(settles.begin(), settles.end(), [](const auto* request) {
    return request->action == SettleRequest::Action::kAck;
  });
  if (all_are_acks) {
    SendAcks(settles);
  } else {
    group_.SettleRowByRow(settles);  // In their order, and before what may want what they release.
  }
  SendOnRuns(on_runs);
  for (auto* request : enqueues_) {
    // Of one that stores nothing no answer would tell whether its queue is there.
    if (request->payloads.empty()) group_.CheckQueue(*request, *request->queue);
  }
  for (auto begin = batches_.begin(); begin != batches_.end();) {
    const auto end = std::find_if(
        begin, batches_.end(), [begin](const auto& batch) { return batch.first != begin->first; });
    SendBatches({begin, end});
    begin = end;
  }
  SendRuns();
  dequeue_.Send();
}

// The runs whose messages were sent: not where their queue was closed.
void SetSteps::SendRuns() {
  Columns<5> columns;
  for (const auto* request : enqueues_) {
    if (!request->runs) continue;
    const auto& version = request->runs->version;
    for (std::size_t i = 0; i < request->ids.size(); ++i) {
      columns.Add({request->ids[i], request->queue->id, version ? Scalar(*version) : Scalar(),
                   std::int64_t{request->priority}, std::string_view(request->payloads[i].text())});
    }
  }
  auto values = columns.Values();
  if (std::get<std::span<const Scalar>>(values.front()).empty()) return;
  values.push_back(AsValue(group_.connection_.Clock()));
  group_.connection_.Send(Statement::kInsertRuns, values,
                          Keep([](const driver::Row&) { return true; }));
}

void SetSteps::SendOnRuns(const std::vector<workflow::RunRequest*>& requests) {
  std::vector<workflow::RunRequest*> on_sets;
  std::vector<workflow::RunRequest*> row_by_row;
  for (auto* request : requests) {
    (workflow::SetRuns::CanTake(*request) ? on_sets : row_by_row).push_back(request);
  }
  set_runs_.Lock(requests);
  group_.RunOnRuns(row_by_row);
  set_runs_.Send(std::move(on_sets));
}

void SetSteps::SendAcks(const std::vector<SettleRequest*>& requests) {
  for (auto* request : requests) {
    request->answers.assign(request->targets.size(), false);
    for (std::size_t i = 0; i < request->targets.size(); ++i) AddTarget(*request, i);
  }
  if (acks_.empty()) return;
  Columns<5> columns;
  for (const auto& [key, ack] : acks_) {
    columns.Add(
        {key.queue_id, key.batch_id, ToInt(ack.mask), OrNull(key.token), OrNull(key.worker_id)});
  }
  auto values = columns.Values();
  values.push_back(AsValue(group_.connection_.Clock()));
  const auto& sink = Keep([this](const driver::Row& row) {
    NoteAcked(row);
    return true;
  });
  group_.connection_.Send(Statement::kAckSlices, values, sink);
  if (group_.earlier_ == nullptr) return;
  values.pop_back();
  group_.connection_.Send(Statement::kFindAcked, values, sink);
}

void SetSteps::NoteAcked(const driver::Row& row) {
  for (const auto& key : {AckKey{row.Int(0), row.Int(1), row.Int(4), 0},
                          AckKey{row.Int(0), row.Int(1), 0, row.Int(3)}}) {
    const auto ack = acks_.find(key);
    if (ack == acks_.end() || ToInt(ack->second.mask) != row.Int(2)) continue;
    ack->second.is_done = true;
    ack->second.worker_id = row.Int(3);
  }
}

// Only the first ack of a message whose queue is known is simple.
void SetSteps::AddTarget(SettleRequest& request, std::size_t index) {
  const auto& target = request.targets[index];
  const auto batch_id = BatchOf(target.message_id);
  auto& entry = targets_.emplace_back(Target{&request, index, nullptr});
  const std::int64_t worker_id =
      target.lease_token == 0 && request.worker ? request.worker->id.load() : 0;
  auto& queues = group_.session_.shared->queues_of_batches;
  const auto queue_id = target.queue_id != 0 ? target.queue_id : queues.Find(batch_id);
  const bool has_lease = target.lease_token != 0 || worker_id != 0;
  if (target.message_id <= 0 || queue_id == 0 || !has_lease) return;
  auto& ack = acks_[{queue_id, batch_id, target.lease_token, worker_id}];
  const Mask bit = BitOf(target.message_id);
  if ((ack.mask & bit) != 0) return;
  ack.mask |= bit;
  entry.ack = &ack;
}

void SetSteps::FormBatches(const std::vector<EnqueueRequest*>& requests) {
  enqueues_ = requests;
  BatchFormer former(group_, [this](const BatchKind& kind, NewBatch&& batch) {
    ++batches_of_[kind.queue_id].sent;
    batches_.emplace_back(kind, std::move(batch));
  });
  for (auto* request : requests) former.Add(*request);
  former.Finish();
  // Those of a kind in the order of their ids, in which they become visible.
  std::sort(batches_.begin(), batches_.end(), [](const auto& a, const auto& b) {
    return std::tie(a.first, a.second.id) < std::tie(b.first, b.second.id);
  });
}

// Sends those that share what a statement says once.
void SetSteps::SendBatches(std::span<const std::pair<BatchKind, NewBatch>> batches) {
  const auto& kind = batches.front().first;
  const auto& sink = Keep([this](const driver::Row& row) {
    ++batches_of_[row.Int(0)].stored;
    group_.NoteVisible(row.Int(0), row.Int(1));
    return true;
  });
  const auto with = [&](const Value& ids, const Value& sizes, const Value& payloads) {
    return std::array<Value, 9>{kind.queue_id,
                                ids,
                                sizes,
                                payloads,
                                std::int64_t{kind.priority},
                                AsValue(OrNull(kind.visible_at)),
                                AsValue(OrNull(kind.delay)),
                                kind.producer,
                                AsValue(group_.connection_.Clock())};
  };
  const bool may_be_stored = group_.earlier_ != nullptr;
  if (batches.size() == 1 && !may_be_stored) {
    const auto& batch = batches.front().second;
    group_.connection_.Send(Statement::kEnqueueBatch,
                            with(batch.id, std::int64_t{batch.n}, std::string_view(batch.payloads)),
                            sink);
    return;
  }
  Columns<3> columns;
  for (const auto& [same_kind, batch] : batches) {
    columns.Add({batch.id, std::int64_t{batch.n}, std::string_view(batch.payloads)});
  }
  const auto sets = columns.Values();
  const auto values = with(sets[0], sets[1], sets[2]);
  if (!may_be_stored) {
    group_.connection_.Send(Statement::kEnqueueBatches, values, sink);
    return;
  }
  group_.connection_.Send(Statement::kEnqueueBatchesAgain, values, sink);
  group_.connection_.Send(Statement::kFindStored, std::span(values).first(2), sink);
}

void SetSteps::Conclude() {
  ConcludeAcks();
  ConcludeEnqueues();
  for (auto* request : set_runs_.Conclude()) left_over_.push_back(request);
  dequeue_.Conclude();
}

void SetSteps::ConcludeAcks() {
  for (const auto& [key, ack] : acks_) {
    if (ack.is_done) group_.settled_[ack.worker_id] += Count(ack.mask);
  }
  for (const auto& [request, index, ack] : targets_) {
    if (ack != nullptr && ack->is_done) {
      request->answers[index] = true;
      continue;
    }
    if (request->left.empty()) left_over_.push_back(request);
    request->left.push_back(index);
  }
}

void SetSteps::ConcludeEnqueues() {
  for (auto* request : enqueues_) {
    // What was stored before the queue was closed went with it. Where it was looked for too, the
    // same may have been counted twice.
    const auto& of_queue = batches_of_[request->queue->id];
    if (!request->payloads.empty() && of_queue.stored < of_queue.sent) {
      request->error = QueueIsGone(*request->queue);
    }
  }
}

}  // namespace pgqrs::queue
