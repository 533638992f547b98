#include "workflow/run_step.h"

#include <pgqrs/error.h>

#include <algorithm>
#include <string>
#include <utility>

#include "queue/queues.h"
#include "queue/rows.h"
#include "util/json_text.h"
#include "workflow/ends.h"

namespace pgqrs::workflow {
namespace {

using sql::Statement;

std::optional<std::string> TextOf(const std::optional<Json>& json) {
  return json ? std::optional(json->text()) : std::nullopt;
}

std::string NamesAsJson(const std::vector<std::string>& names) {
  std::string array;
  for (const auto& name : names) {
    array += array.empty() ? '[' : ',';
    array += util::QuoteJson(name).value_or("\"\"");
  }
  return array + ']';
}

const End kCancelledEnd = {.status = RunStatus::kCancelled, .output = {}, .error = {}};

// Whether an array that was made so has a name.
bool IsAmong(const std::string& array, const std::string& name) {
  const auto quoted = util::QuoteJson(name).value_or("\"\"");
  // Within a name a quote has a backslash before it, so this is the begin and the end of one.
  for (auto at = array.find(quoted); at != std::string::npos; at = array.find(quoted, at + 1)) {
    const char before = array[at - 1];
    const char behind = array[at + quoted.size()];
    if ((before == '[' || before == ',') && (behind == ',' || behind == ']')) return true;
  }
  return false;
}

}  // namespace

Outcome FenceOf(const std::optional<RunState>& run, std::int64_t epoch) {
  if (!run || run->epoch != epoch) return Outcome::kStale;
  if (run->status == RunStatus::kCancelled) return Outcome::kCancelled;
  if (run->is_finished() || !run->start_token) return Outcome::kStale;
  if (run->status == RunStatus::kCancelling) return Outcome::kCancelled;
  return run->pause_requested ? Outcome::kPaused : Outcome::kDone;
}

bool MayRecord(Outcome fence, const std::optional<RunState>& run) {
  return fence != Outcome::kStale && run->status != RunStatus::kCancelled;
}

void RunStep::Run(std::vector<RunRequest*> requests) {
  const auto key = [](const RunRequest* request) {
    return request->what == RunRequest::What::kTrigger
               ? std::string_view(static_cast<const TriggerRequest*>(request)->idempotency_key)
               : std::string_view();
  };
  std::stable_sort(requests.begin(), requests.end(), [&](const auto* a, const auto* b) {
    return std::pair(a->run.id, key(a)) < std::pair(b->run.id, key(b));
  });
  for (auto* request : requests) Run(*request);
}

void RunStep::Run(RunRequest& request) {
  switch (request.what) {
    case RunRequest::What::kTrigger:
      return Trigger(static_cast<TriggerRequest&>(request));
    case RunRequest::What::kSendEvent:
      return SendEvent(static_cast<SendEventRequest&>(request));
    case RunRequest::What::kStart:
      return Start(static_cast<StartRequest&>(request));
    case RunRequest::What::kRecord:
      return Record(static_cast<RecordRequest&>(request));
    case RunRequest::What::kReceive:
      return Receive(static_cast<ReceiveRequest&>(request));
    case RunRequest::What::kChild:
      return Child(static_cast<ChildRequest&>(request));
    case RunRequest::What::kSuspend:
      return Suspend(static_cast<SuspendRequest&>(request));
    case RunRequest::What::kFinish:
      return Finish(static_cast<FinishRequest&>(request));
  }
}

Outcome RunStep::Fence(const RunRequest& request, std::optional<RunState>& run) {
  run = LockRun(connection_, request.run.id);
  return FenceOf(run, request.epoch);
}

bool RunStep::CheckWorkflow(RunRequest& request, const WorkflowRef& workflow) {
  try {
    queue::RequireOpen(connection_, workflow);
    return true;
  } catch (const QueueNotFoundError&) {
    request.error = std::current_exception();
    return false;
  }
}

void RunStep::Trigger(TriggerRequest& request) {
  request.is_new = false;
  if (!CheckWorkflow(request, *request.workflow)) return;
  if (request.own_batch_id == 0) request.own_batch_id = next_batch_id_();
  NewRun made;
  made.id = queue::MessageId(request.own_batch_id, 0);
  made.queue_id = request.workflow->id;
  made.version = ToOptional(request.version);
  made.idempotency_key = request.idempotency_key;
  made.priority = request.priority;
  made.input = request.input.text();
  request.outcome = Outcome::kDone;
  const auto find = [&] {
    const auto ids = Ids(connection_, Statement::kFindRunByKey,
                         {request.workflow->id, std::string_view(request.idempotency_key)});
    request.run_id = ids.empty() ? 0 : ids.front();
    // One whose commit was not answered has happened.
    request.is_new = request.run_id == made.id;
    return !ids.empty();
  };
  if (find()) return;
  // The row first: who has stored the same key in this moment wins, and is waited for.
  if (!InsertRun(connection_, made, effects_.now)) {
    if (find()) return;
    throw driver::Failure(driver::Fault::kConflict, "a run of the same key was just removed");
  }
  request.run_id = made.id;
  request.is_new = true;
  InsertMessage(connection_, request.own_batch_id, made.queue_id, made.priority, request.delay,
                worker_id_(*request.producer), made.input, effects_);
}

void RunStep::SendEvent(SendEventRequest& request) {
  auto run = LockRun(connection_, request.run.id);
  if (!run || run->is_finished()) {
    const auto named = "run " + std::to_string(request.run.id);
    const auto why =
        run ? named + " is " + std::string(ToString(run->status)) + ", and receives no more events"
            : named + " does not exist";
    request.error = std::make_exception_ptr(ValidationError(why));
    return;
  }
  request.outcome = Outcome::kDone;
  connection_.Run(Statement::kInsertEvent,
                  {run->id, std::string_view(request.event),
                   std::string_view(request.payload.text()), effects_.now});
  const bool waits = run->is_suspended() && run->waits_for_events &&
                     IsAmong(*run->waits_for_events, request.event);
  if (waits) WakeRun(connection_, *run, effects_);
}

std::optional<RunState> RunStep::LockOrAdopt(StartRequest& request) {
  auto run = LockRun(connection_, request.run.id);
  if (run || request.lease_token == 0) return run;
  RunMessage message(connection_, request.run.queue_id, request.run.id);
  if (!message.HasLease(request.lease_token)) return std::nullopt;
  NewRun made;
  made.id = request.run.id;
  made.queue_id = request.run.queue_id;
  made.input = request.payload.text();
  InsertRun(connection_, made, effects_.now);
  return LockRun(connection_, request.run.id);
}

void RunStep::Start(StartRequest& request) {
  request.outcome = Outcome::kStale;
  request.steps.clear();
  auto run = LockOrAdopt(request);
  if (!run) return;
  RunMessage message(connection_, run->queue_id, run->id);
  const bool is_held = request.lease_token == 0 || message.HasLease(request.lease_token);
  if (run->is_finished()) {
    if (request.lease_token != 0 && is_held) message.Archive(effects_);
    Answer(request, *run);
    return;
  }
  if (!is_held) return Answer(request, *run);
  if (run->status == RunStatus::kCancelling) {
    EndRun(connection_, *run, kCancelledEnd, effects_);
    request.outcome = Outcome::kCancelled;
    return Answer(request, *run);
  }
  if (run->pause_requested) {
    run->StopWaiting();
    run->status = RunStatus::kPaused;
    UpdateRun(connection_, *run, effects_.now);
    message.Release(kNever, true, effects_);
    request.outcome = Outcome::kPaused;
    return Answer(request, *run);
  }
  request.outcome = Outcome::kDone;
  const bool has_begun = request.lease_token != 0 && run->start_token == request.lease_token &&
                         run->status == RunStatus::kRunning;
  if (has_begun) return Answer(request, *run);

  const auto epoch_before = run->epoch;
  if (run->status == RunStatus::kPaused) {
    SetResult(connection_, run->id, driver::Value(), driver::Value());
  }
  run->StopWaiting();
  run->status = RunStatus::kRunning;
  run->epoch += 1;
  run->start_token = request.lease_token;
  if (!run->version && request.code_version) run->version = *request.code_version;
  if (!run->started_at) run->started_at = effects_.now;
  UpdateRun(connection_, *run, effects_.now);
  // Whoever starts it without the message may never come to its end.
  if (request.lease_token == 0 && message.is_hidden()) message.Wake(effects_);
  std::int64_t last_epoch = 0;
  request.steps = StepsOfRun(connection_, run->id, last_epoch);
  // Where its last execution got on, it is none that fails again and again.
  if (epoch_before > 0 && last_epoch == epoch_before) message.ForgetReads();
  Answer(request, *run);
}

void RunStep::Answer(StartRequest& request, const RunState& run) {
  request.epoch = run.epoch;
  request.status = run.status;
  request.version = run.version ? std::optional(static_cast<int>(*run.version)) : std::nullopt;
  request.created_at = run.created_at;
  request.parent_id = run.parent_id.value_or(0);
  if (request.steps.empty()) {
    std::int64_t last_epoch = 0;
    request.steps = StepsOfRun(connection_, run.id, last_epoch);
  }
  if (auto texts = FindTexts(connection_, run.id)) {
    const auto json = [](std::optional<std::string>&& text) {
      return text ? std::optional(Json::FromTrusted(*std::move(text))) : std::nullopt;
    };
    request.input = Json::FromTrusted(std::move(texts->input));
    request.output = json(std::move(texts->output));
    request.failure = json(std::move(texts->error));
  }
}

Outcome RunStep::Record(const RunRequest& request, const StoredStep& step, Outcome fence) {
  return RecordStep(connection_, request.run.id, request.epoch, step, effects_.now)
             ? fence
             : Outcome::kStale;
}

void RunStep::Record(RecordRequest& request) {
  std::optional<RunState> run;
  request.outcome = Fence(request, run);
  if (MayRecord(request.outcome, run)) {
    request.outcome = Record(request, request.step, request.outcome);
  }
}

void RunStep::Receive(ReceiveRequest& request) {
  request.payload.reset();
  std::optional<RunState> run;
  request.outcome = Fence(request, run);
  if (request.outcome != Outcome::kDone) return;
  const auto found = FindStep(connection_, request.run.id, request.step.name, request.step.ordinal);
  if (found && found->status == StepStatus::kSuccess) {
    request.payload = found->output;
    if (found->epoch != request.epoch) request.outcome = Outcome::kStale;
    return;
  }
  auto step = request.step;
  connection_.Run(Statement::kOldestEvent, {request.run.id, std::string_view(request.event)},
                  [&](const driver::Row& row) {
                    request.payload = ToJson(row, 1);
                    step.output = request.payload;
                    step.status = StepStatus::kSuccess;
                    step.child_id = row.Int(0);
                    return true;
                  });
  const auto event_id = std::exchange(step.child_id, 0);
  request.outcome = Record(request, step, request.outcome);
  if (event_id != 0) connection_.Run(Statement::kDeleteEvent, {event_id});
}

void RunStep::Child(ChildRequest& request) {
  request.child_id = 0;
  std::optional<RunState> run;
  request.outcome = Fence(request, run);
  if (request.outcome == Outcome::kStale || !run) return;
  const auto found = FindStep(connection_, request.run.id, request.step.name, request.step.ordinal);
  if (found && found->child_id != 0) {
    request.child_id = found->child_id;
    return;
  }
  if (request.outcome != Outcome::kDone) return;
  if (!CheckWorkflow(request, *request.workflow)) return;
  request.child_id = TriggerChild(request);
  auto step = request.step;
  step.kind = StepKind::kChild;
  step.status = StepStatus::kRunning;
  step.child_id = request.child_id;
  request.outcome = Record(request, step, request.outcome);
}

std::int64_t RunStep::TriggerChild(ChildRequest& request) {
  const auto batch_id = request.own_batch_id != 0 ? request.own_batch_id : next_batch_id_();
  NewRun made;
  made.id =
      InsertMessage(connection_, batch_id, request.workflow->id, request.priority, request.delay,
                    worker_id_(*request.producer), request.input.text(), effects_);
  made.queue_id = request.workflow->id;
  made.version = ToOptional(request.version);
  made.priority = request.priority;
  made.parent_id = request.run.id;
  made.parent_step = request.step.name;
  made.parent_ordinal = request.step.ordinal;
  made.input = request.input.text();
  InsertRun(connection_, made, effects_.now);
  return made.id;
}

void RunStep::Suspend(SuspendRequest& request) {
  std::optional<RunState> run;
  request.outcome = Fence(request, run);
  // One whose commit was not answered has happened.
  const bool has_happened = request.outcome == Outcome::kStale && run &&
                            run->epoch == request.epoch && !run->start_token && !run->is_finished();
  if (has_happened) {
    request.outcome = run->status == RunStatus::kPaused ? Outcome::kPaused : Outcome::kDone;
    return;
  }
  if (!MayRecord(request.outcome, run)) return;
  for (const auto& step : request.steps) {
    if (Record(request, step, request.outcome) == Outcome::kStale) {
      request.outcome = Outcome::kStale;
      return;
    }
  }
  if (request.outcome == Outcome::kCancelled) {
    return EndRun(connection_, *run, kCancelledEnd, effects_);
  }
  if (request.is_pause || request.outcome == Outcome::kPaused) return Pause(request, *run);
  run->StopWaiting();
  if (!request.waits_for_events.empty()) {
    run->waits_for_events = NamesAsJson(request.waits_for_events);
  }
  run->waits_for_children = request.waits_for_children;
  const auto wake_at = WakeTime(request, *run);
  UpdateRun(connection_, *run, effects_.now);
  RunMessage(connection_, run->queue_id, run->id).Release(wake_at, true, effects_);
}

void RunStep::Pause(SuspendRequest& request, RunState& run) {
  const bool is_own = request.is_pause && !run.pause_requested;
  run.StopWaiting();
  run.status = RunStatus::kPaused;
  UpdateRun(connection_, run, effects_.now);
  SetResult(connection_, run.id, driver::Value(), ToText(request.reason));
  std::int64_t until = kNever;
  if (is_own && request.until) until = queue::ToMicros(*request.until);
  if (is_own && request.delay) until = effects_.now + request.delay->count();
  RunMessage(connection_, run.queue_id, run.id).Release(until, true, effects_);
  request.outcome = Outcome::kPaused;
}

std::int64_t RunStep::WakeTime(const SuspendRequest& request, const RunState& run) {
  if (HasHappened(request, run)) return effects_.now;
  if (request.until) return std::min(queue::ToMicros(*request.until), kNever);
  return request.delay ? effects_.now + request.delay->count() : kNever;
}

bool RunStep::HasHappened(const SuspendRequest& request, const RunState& run) {
  for (const auto& name : request.waits_for_events) {
    if (HasRow(connection_, Statement::kHasEvent, {run.id, std::string_view(name)})) return true;
  }
  return request.waits_for_children &&
         HasRow(connection_, Statement::kHasEndedChild, {run.id, run.epoch});
}

void RunStep::Finish(FinishRequest& request) {
  std::optional<RunState> run;
  request.outcome = Fence(request, run);
  const bool has_happened = request.outcome == Outcome::kStale && run &&
                            run->epoch == request.epoch && run->status == request.status;
  if (has_happened) request.outcome = Outcome::kDone;
  if (has_happened || !MayRecord(request.outcome, run)) return;
  if (request.outcome == Outcome::kCancelled) {
    return EndRun(connection_, *run, kCancelledEnd, effects_);
  }
  EndRun(connection_, *run,
         {.status = request.status,
          .output = TextOf(request.output),
          .error = TextOf(request.failure)},
         effects_);
  request.outcome = Outcome::kDone;
}

}  // namespace pgqrs::workflow
