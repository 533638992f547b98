#include "queue/group.h"

#include <pgqrs/error.h>
#include <pgqrs/records.h>

#include <algorithm>
#include <optional>

#include "queue/dequeue.h"
#include "queue/enqueue.h"
#include "queue/queues.h"
#include "queue/rows.h"
#include "queue/set_steps.h"
#include "queue/settle.h"
#include "workflow/request.h"
#include "workflow/run_step.h"

namespace pgqrs::queue {
namespace {

using sql::Statement;

template <typename T>
std::vector<T*> OfKind(std::span<Request* const> requests, Request::Kind kind) {
  std::vector<T*> found;
  for (auto* request : requests) {
    if (request->kind == kind) found.push_back(static_cast<T*>(request));
  }
  return found;
}

// Whether these are requests that an earlier group has left over.
bool IsLeftOver(std::span<Request* const> requests) {
  const auto* first = requests.front();
  if (first->kind == Request::Kind::kRun) {
    return static_cast<const workflow::RunRequest*>(first)->is_left_over;
  }
  return first->kind == Request::Kind::kSettle &&
         !static_cast<const SettleRequest*>(first)->left.empty();
}

}  // namespace

std::int64_t RegisterWorker(driver::Connection& connection, Worker& worker) {
  std::int64_t id = worker.id;
  if (id != 0) return id;
  connection.Run(Statement::kInsertWorker,
                 {std::string_view(worker.name), ToValue(worker.queue_id),
                  static_cast<std::int64_t>(WorkerStatus::kReady), ToMicros(connection.Now())},
                 [&](const driver::Row& row) {
                   id = row.Int(0);
                   return true;
                 });
  worker.id = id;
  return id;
}

std::optional<std::int64_t> NextVisible(driver::Connection& connection, std::int64_t queue_id) {
  std::optional<std::int64_t> next;
  connection.Run(Statement::kNextVisible, {queue_id}, [&](const driver::Row& row) {
    next = row.OptionalInt(0);
    return true;
  });
  return next;
}

Group::Group(driver::Connection& connection, Session& session, std::span<Request* const> requests,
             const Numbers* earlier)
    : connection_(connection),
      session_(session),
      works_on_sets_(connection.works_on_sets()),
      batch_ids_before_(works_on_sets_ ? IdBlock::State() : session.shared->batch_ids.state()),
      lease_tokens_before_(works_on_sets_ ? IdBlock::State()
                                          : session.shared->lease_tokens.state()),
      requests_(requests),
      earlier_(earlier) {}

Group::~Group() = default;

void Group::Prepare() {
  if (!works_on_sets_ || IsLeftOver(requests_)) return;
  set_steps_ = std::make_unique<SetSteps>(*this);
  set_steps_->Prepare(OfKind<EnqueueRequest>(requests_, Request::Kind::kEnqueue),
                      OfKind<DequeueRequest>(requests_, Request::Kind::kDequeue));
  PrepareRuns();
}

// The numbers that new runs need.
void Group::PrepareRuns() {
  for (auto* request : OfKind<workflow::RunRequest>(requests_, Request::Kind::kRun)) {
    if (request->what == workflow::RunRequest::What::kChild) {
      auto& child = static_cast<workflow::ChildRequest&>(*request);
      WorkerId(*child.producer);
      child.own_batch_id = NextBatchId();
    } else if (request->what == workflow::RunRequest::What::kTrigger) {
      auto& trigger = static_cast<workflow::TriggerRequest&>(*request);
      WorkerId(*trigger.producer);
      trigger.own_batch_id = NextBatchId();
    }
  }
}

void Group::Run() {
  if (set_steps_) {
    set_steps_->Send(OfKind<SettleRequest>(requests_, Request::Kind::kSettle),
                     OfKind<workflow::RunRequest>(requests_, Request::Kind::kRun));
  } else {
    RunRowByRow();
  }
}

void Group::RunRowByRow() {
  now_ = ToMicros(connection_.Now());
  effects_.now = now_;
  SettleStep(*this).Run(OfKind<SettleRequest>(requests_, Request::Kind::kSettle));
  RunOnRuns(OfKind<workflow::RunRequest>(requests_, Request::Kind::kRun));
  EnqueueStep(*this).Run(OfKind<EnqueueRequest>(requests_, Request::Kind::kEnqueue));
  DequeueStep(*this).Run(OfKind<DequeueRequest>(requests_, Request::Kind::kDequeue));
}

void Group::SettleRowByRow(const std::vector<SettleRequest*>& requests) {
  if (requests.empty()) return;
  now_ = effects_.now = ToMicros(connection_.Now());
  SettleStep(*this).Run(requests);
}

void Group::RunOnRuns(const std::vector<workflow::RunRequest*>& requests) {
  if (requests.empty()) return;
  now_ = effects_.now = ToMicros(connection_.Now());
  workflow::RunStep(
      connection_, effects_, [this](Worker& worker) { return WorkerId(worker); },
      [this] { return NextBatchId(); })
      .Run(requests);
}

std::vector<Request*> Group::TakeLeftOver() {
  return set_steps_ ? set_steps_->TakeLeftOver() : std::vector<Request*>();
}

void Group::Committed() {
  if (set_steps_) set_steps_->Conclude();
  CountTaken();
  for (auto* dequeue : OfKind<DequeueRequest>(requests_, Request::Kind::kDequeue)) {
    dequeue->kept = dequeue->taken.size();
  }
  for (const auto& [worker_id, n] : effects_.released) settled_[worker_id] += n;
  for (const auto& each : effects_.visible) NoteVisible(each.queue_id, each.at);
  for (const auto& [worker_id, n] : settled_) session_.shared->holders.Settled(worker_id, n);
}

void Group::RolledBack() {
  for (auto* request : requests_) request->error = nullptr;
  if (works_on_sets_) return;  // Numbers and workers are of transactions of their own.
  session_.shared->batch_ids.Restore(batch_ids_before_);
  session_.shared->lease_tokens.Restore(lease_tokens_before_);
  for (auto* worker : new_workers_) worker->id = 0;
  for (auto* request : OfKind<workflow::RunRequest>(requests_, Request::Kind::kRun)) {
    if (request->what == workflow::RunRequest::What::kTrigger) {
      static_cast<workflow::TriggerRequest&>(*request).own_batch_id = 0;
    }
  }
}

std::optional<Numbers> Group::MayHaveCommitted() {
  CountTaken();  // Workers may have got leases that nobody knows of.
  if (works_on_sets_) return std::move(used_);
  // Neither are the numbers of this group free, nor is the block that they came from certainly
  // ours. A worker that is new here may have no row.
  session_.shared->batch_ids.Restore({});
  session_.shared->lease_tokens.Restore({});
  for (auto* worker : new_workers_) worker->id = 0;
  return std::nullopt;
}

// Whether an action other than an ack has happened cannot be seen afterwards, nor whether an event
// was sent.
bool Group::CanBeRepeated(const Request& request) {
  if (request.kind == Request::Kind::kRun) {
    return static_cast<const workflow::RunRequest&>(request).what !=
           workflow::RunRequest::What::kSendEvent;
  }
  return request.kind != Request::Kind::kSettle ||
         static_cast<const SettleRequest&>(request).action == SettleRequest::Action::kAck;
}

void Group::CountTaken() {
  for (auto* dequeue : OfKind<DequeueRequest>(requests_, Request::Kind::kDequeue)) {
    if (dequeue->taken.size() == dequeue->kept) continue;
    session_.shared->holders.Took(dequeue->worker,
                                  static_cast<std::int64_t>(dequeue->taken.size() - dequeue->kept));
  }
}

std::int64_t Group::WorkerId(Worker& worker) {
  if (worker.id == 0) {
    RegisterWorker(connection_, worker);
    new_workers_.push_back(&worker);
  }
  return worker.id;
}

std::int64_t Group::NextBatchId() {
  auto& used = used_.batch_ids;
  const bool is_known = earlier_ != nullptr && used.size() < earlier_->batch_ids.size();
  used.push_back(is_known ? earlier_->batch_ids[used.size()]
                          : session_.shared->batch_ids.Next(connection_));
  return used.back();
}

bool Group::CheckQueue(Request& request, const QueueRef& queue) {
  const auto [it, is_new] = queue_errors_.try_emplace(queue.id);
  if (is_new) {
    try {
      RequireOpen(connection_, queue);
    } catch (const QueueNotFoundError&) {
      it->second = std::current_exception();
    }
  }
  request.error = it->second;
  return it->second == nullptr;
}

void Group::NoteVisible(std::int64_t queue_id, std::int64_t visible_at) {
  for (auto& entry : became_visible_) {
    if (entry.queue_id != queue_id) continue;
    entry.visible_at = std::min(entry.visible_at, visible_at);
    return;
  }
  became_visible_.push_back({queue_id, visible_at});
}

}  // namespace pgqrs::queue
