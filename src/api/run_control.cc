#include <pgqrs/run_control.h>
#include <pgqrs/store.h>

#include <exception>
#include <limits>
#include <utility>

#include "api/arguments.h"
#include "api/moved_from.h"
#include "api/run_core.h"
#include "api/store_core.h"
#include "api/workflow_refs.h"

namespace pgqrs {

using internal::RunCore;
using internal::StepClaim;
using workflow::StoredStep;

struct RunControl::State {
  std::shared_ptr<RunCore> core;
  RunOutcome outcome = RunOutcome::kStale;
  RunStatus status = RunStatus::kQueued;
  std::optional<Json> output;
  std::optional<Json> error;
};

namespace {

StoredStep ToStored(const ClaimedStep& step) {
  return {.name = step.name,
          .ordinal = step.ordinal,
          .position = step.position,
          .kind = step.kind,
          .status = step.status,
          .attempts = step.attempts,
          .input = {},
          .output = step.output,
          .error = step.error,
          .retry_at = step.retry_at,
          .wake_at = step.wake_at,
          .child_id = step.child_id};
}

std::vector<StoredStep> ToStored(const std::vector<ClaimedStep>& steps) {
  std::vector<StoredStep> stored;
  stored.reserve(steps.size());
  for (const auto& step : steps) stored.push_back(ToStored(step));
  return stored;
}

ClaimedStep ToClaimed(StoredStep step, bool is_recorded) {
  return {.name = std::move(step.name),
          .ordinal = step.ordinal,
          .position = step.position,
          .kind = step.kind,
          .is_recorded = is_recorded,
          .status = step.status,
          .attempts = step.attempts,
          .output = std::move(step.output),
          .error = std::move(step.error),
          .retry_at = step.retry_at,
          .wake_at = step.wake_at,
          .child_id = step.child_id};
}

ClaimedStep ToClaimed(StepClaim claim) {
  return ToClaimed(std::move(claim.step), claim.is_recorded);
}

}  // namespace

RunTicket RunTicket::Of(const Message& message) {
  const auto target = internal::MessageAccess::Target(message);
  return {.run_id = message.id(), .queue_id = target.queue_id, .lease_token = target.lease_token};
}

Future<RunControl> RunControl::StartAsync(const PgqrsStore& store, const RunTicket& ticket,
                                          const Json& payload, std::optional<int> code_version) {
  auto& core = store.core();
  if (code_version) {
    internal::CheckCount("version", *code_version, 1, std::numeric_limits<int>::max());
  }
  auto call = core.MakeCall<RunControl, workflow::StartRequest>(
      [shared = core.shared_from_this()](workflow::StartRequest& started) {
        auto state = std::make_shared<State>();
        state->outcome = started.outcome;
        state->status = started.status;
        state->output = std::move(started.output);
        state->error = std::move(started.failure);
        state->core = std::make_shared<RunCore>(shared, started);
        return RunControl(std::move(state));
      });
  call->run = {.id = ticket.run_id, .queue_id = ticket.queue_id};
  call->lease_token = ticket.lease_token;
  call->payload = payload;
  call->code_version = code_version;
  return core.Submit(std::move(call));
}

RunCore& RunControl::core() const {
  return *internal::CheckNotMovedFrom(state_, "a RunControl")->core;
}

RunOutcome RunControl::outcome() const { return state_->outcome; }
RunStatus RunControl::status() const { return state_->status; }
const std::optional<Json>& RunControl::output() const { return state_->output; }
const std::optional<Json>& RunControl::error() const { return state_->error; }
std::int64_t RunControl::id() const { return core().id(); }
const Json& RunControl::input() const { return core().input(); }
std::optional<int> RunControl::version() const { return core().version(); }

TimePoint RunControl::CurrentTime() const { return core().store().engine().ApproximateNow(); }

ClaimedStep RunControl::Claim(const std::string& scope, std::string_view name, StepKind kind) {
  internal::CheckStepName(name);
  return ToClaimed(core().Claim(scope, name, kind));
}

ClaimedStep RunControl::Find(std::string_view name) const {
  internal::CheckStepName(name);
  return ToClaimed(core().Find(name));
}

ClaimedStep RunControl::Get(const std::string& name, int ordinal) const {
  return ToClaimed(core().Get(name, ordinal), true);
}

void RunControl::CheckEnd() const { core().CheckEnd(""); }

void RunControl::CheckOutput(const Json& output) const { core().store().CheckOutput(output); }

Future<RunOutcome> RunControl::RecordAsync(const ClaimedStep& step) const {
  return core().store().Submit(core().MakeRecord(ToStored(step)));
}

Future<RunControl::Received> RunControl::ReceiveAsync(const ClaimedStep& step,
                                                      std::string_view event) const {
  return core().store().Submit(core().MakeReceive(ToStored(step), std::string(event)));
}

Future<RunControl::Child> RunControl::ChildAsync(const ClaimedStep& step, std::string_view workflow,
                                                 const Json& input, const ChildOptions& options,
                                                 std::optional<int> version) const {
  core().store().CheckPayload(input);
  internal::CheckCount("priority", options.priority, 0, queue::kPriorities - 1);
  if (options.delay) internal::CheckDuration("delay", *options.delay, Duration::zero());
  auto& store = core().store();
  store.CheckUsable();
  return store.workflows().Submit(
      store, std::string(workflow), queue::IfMissing::kCreate,
      [core = state_->core, stored = ToStored(step), input, options,
       version](const internal::WorkflowRefs::Ref& ref) {
        return core->store().Submit(core->MakeChild(stored, ref, input, options, version));
      });
}

Future<RunOutcome> RunControl::SuspendAsync(const RunWaitFor& wait) const {
  return core().store().Submit(core().MakeSuspend({.steps = ToStored(wait.steps),
                                                   .until = wait.until,
                                                   .events = wait.events,
                                                   .children = wait.children}));
}

Future<RunOutcome> RunControl::GiveBackAsync(Duration delay) const {
  internal::CheckDuration("delay", delay, Duration::zero());
  return core().store().Submit(core().MakeGiveBack(delay));
}

Future<RunOutcome> RunControl::PauseAsync(const std::optional<Json>& reason,
                                          std::optional<Duration> resume_after,
                                          const std::vector<ClaimedStep>& steps) const {
  if (resume_after) internal::CheckDuration("resume_after", *resume_after, Duration::zero());
  return core().store().Submit(core().MakePause(reason, resume_after, ToStored(steps)));
}

Future<RunOutcome> RunControl::FinishAsync(RunStatus status, const std::optional<Json>& output,
                                           const std::optional<Json>& error) const {
  return core().store().Submit(core().MakeFinish(status, output, error));
}

RunOutcome RunControl::Transact(ClaimedStep& step, const std::function<Json(Transaction&)>& body,
                                bool& body_threw) const {
  auto stored = ToStored(step);
  const auto outcome = core().Transact(stored, body, body_threw);
  if (stored.status == StepStatus::kSuccess) step = ToClaimed(std::move(stored), false);
  return outcome;
}

}  // namespace pgqrs
