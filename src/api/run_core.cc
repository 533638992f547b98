#include "api/run_core.h"

#include <cxxabi.h>
#include <pgqrs/error.h>
#include <pgqrs/json_converter.h>

#include <algorithm>
#include <cstdlib>
#include <typeinfo>

#include "api/transaction_core.h"
#include "util/json_text.h"
#include "util/storable.h"
#include "workflow/transaction_step.h"

namespace pgqrs::internal {
namespace {

using workflow::StoredStep;

// Steps in branches have names that begin with the branch: "name[0]/".
std::string ScopeOf(const std::string& name) {
  const auto end = name.rfind("]/");
  return end == std::string::npos ? std::string() : name.substr(0, end + 2);
}

std::string Show(const std::string& name, int ordinal) {
  return ordinal == 0 ? '"' + name + '"'
                      : '"' + name + "\" (call " + std::to_string(ordinal + 1) + ")";
}

std::string TypeName(const std::type_info& type) {
  int status = 0;
  const std::unique_ptr<char, decltype(&std::free)> name(
      abi::__cxa_demangle(type.name(), nullptr, nullptr, &status), &std::free);
  std::string text = status == 0 ? name.get() : type.name();
  constexpr std::string_view kOurs = "pgqrs::";
  return text.starts_with(kOurs) ? text.substr(kOurs.size()) : text;
}

}  // namespace

void RunWait::Add(const RunWait& other) {
  steps.insert(steps.end(), other.steps.begin(), other.steps.end());
  events.insert(events.end(), other.events.begin(), other.events.end());
  if (other.until) until = until ? std::min(*until, *other.until) : *other.until;
  children = children || other.children;
}

CallPtr<RunCore::Started, workflow::StartRequest> RunCore::MakeStart(
    const std::shared_ptr<StoreCore>& store, const workflow::RunRef& run, std::int64_t lease_token,
    const Json& payload, std::optional<int> code_version) {
  auto call = store->MakeCall<Started, workflow::StartRequest>(
      [store](workflow::StartRequest& started) -> Started {
        if (started.outcome != workflow::Outcome::kDone) return nullptr;
        return std::make_shared<RunCore>(store, started);
      });
  call->run = run;
  call->lease_token = lease_token;
  call->payload = payload;
  call->code_version = code_version;
  return call;
}

RunCore::RunCore(std::shared_ptr<StoreCore> store, workflow::StartRequest& started)
    : store_(std::move(store)),
      run_{.id = started.run.id, .queue_id = started.run.queue_id, .parent_id = started.parent_id},
      epoch_(started.epoch),
      input_(std::move(started.input)),
      version_(started.version) {
  for (auto& step : started.steps) {
    const Key key(step.name, step.ordinal);
    if (step.position >= 0) by_position_.emplace(std::pair(ScopeOf(step.name), step.position), key);
    steps_.emplace(key, std::move(step));
  }
}

void RunCore::ThrowNonDeterminism(const std::string& what) const {
  throw NonDeterminismError(
      "run " + std::to_string(run_.id) + ": " + what +
      "; the code of the workflow does not match the steps that are recorded");
}

StepClaim RunCore::Claim(const std::string& scope, std::string_view name, StepKind kind) {
  const std::lock_guard lock(mutex_);
  const auto full_name = scope + std::string(name);
  const auto place = std::pair(ScopeOf(full_name), calls_[ScopeOf(full_name)]++);
  const Key key(full_name, ordinals_[full_name]++);
  const auto recorded = steps_.find(key);
  const auto at_place = by_position_.find(place);
  if (at_place != by_position_.end() && at_place->second != key) {
    const auto& [other_name, other_ordinal] = at_place->second;
    ThrowNonDeterminism("step " + Show(key.first, key.second) + " was called where step " +
                        Show(other_name, other_ordinal) + " is recorded");
  }
  if (recorded == steps_.end()) {
    StepClaim claim;
    claim.step.name = key.first;
    claim.step.ordinal = key.second;
    claim.step.position = place.second;
    claim.step.kind = kind;
    return claim;
  }
  const auto& step = recorded->second;
  if (step.position >= 0 && step.position != place.second) {
    ThrowNonDeterminism("step " + Show(key.first, key.second) + " was called as call " +
                        std::to_string(place.second + 1) + ", and is recorded as call " +
                        std::to_string(step.position + 1));
  }
  if (step.kind != kind) {
    ThrowNonDeterminism("step " + Show(key.first, key.second) + " was called as a " +
                        std::string(ToString(kind)) + ", and is recorded as a " +
                        std::string(ToString(step.kind)));
  }
  return {.step = step, .is_recorded = true};
}

StepClaim RunCore::Find(std::string_view name) {
  const std::lock_guard lock(mutex_);
  const auto recorded = steps_.find(Key(name, 0));
  if (recorded != steps_.end()) return {.step = recorded->second, .is_recorded = true};
  StepClaim claim;
  claim.step.name = name;
  claim.step.position = -1;
  return claim;
}

StoredStep RunCore::Get(const std::string& name, int ordinal) {
  const std::lock_guard lock(mutex_);
  return steps_.at(Key(name, ordinal));
}

void RunCore::CheckEnd(const std::string& scope) {
  const std::lock_guard lock(mutex_);
  const auto next = by_position_.find(std::pair(scope, calls_[scope]));
  if (next == by_position_.end()) return;
  ThrowNonDeterminism("step " + Show(next->second.first, next->second.second) +
                      " is recorded, and was not called");
}

void RunCore::Know(const StoredStep& step) {
  const std::lock_guard lock(mutex_);
  const Key key(step.name, step.ordinal);
  if (step.position >= 0) by_position_.emplace(std::pair(ScopeOf(step.name), step.position), key);
  steps_.insert_or_assign(key, step);
}

CallPtr<workflow::Outcome, workflow::RecordRequest> RunCore::MakeRecord(StoredStep step) {
  auto call = store_->MakeCall<Outcome, workflow::RecordRequest>(
      [self = shared_from_this()](workflow::RecordRequest& request) {
        if (request.outcome == Outcome::kDone) self->Know(request.step);
        return request.outcome;
      });
  Fill(*call);
  call->step = std::move(step);
  return call;
}

CallPtr<RunCore::Received, workflow::ReceiveRequest> RunCore::MakeReceive(StoredStep step,
                                                                          std::string event) {
  auto call = store_->MakeCall<Received, workflow::ReceiveRequest>(
      [self = shared_from_this()](workflow::ReceiveRequest& request) {
        auto known = request.step;
        if (request.payload) {
          known.status = StepStatus::kSuccess;
          known.output = request.payload;
        }
        if (request.outcome == Outcome::kDone) self->Know(known);
        return Received{.outcome = request.outcome, .payload = std::move(request.payload)};
      });
  Fill(*call);
  call->step = std::move(step);
  call->event = std::move(event);
  return call;
}

CallPtr<RunCore::Child, workflow::ChildRequest> RunCore::MakeChild(
    StoredStep step, std::shared_ptr<const workflow::WorkflowRef> workflow, const Json& input,
    const ChildOptions& options, std::optional<int> version) {
  auto call = store_->MakeCall<Child, workflow::ChildRequest>(
      [self = shared_from_this()](workflow::ChildRequest& request) {
        auto known = request.step;
        known.child_id = request.child_id;
        if (request.outcome == Outcome::kDone) self->Know(known);
        return Child{.outcome = request.outcome, .id = request.child_id};
      });
  Fill(*call);
  call->step = std::move(step);
  call->workflow = std::move(workflow);
  call->producer = store_->own_worker();
  call->input = input;
  call->priority = options.priority;
  call->delay = options.delay;
  call->version = version;
  return call;
}

namespace {

template <typename Request>
workflow::Outcome OutcomeOf(Request& request) {
  return request.outcome;
}

}  // namespace

CallPtr<workflow::Outcome, workflow::SuspendRequest> RunCore::MakeSuspend(RunWait wait) {
  auto call =
      store_->MakeCall<Outcome, workflow::SuspendRequest>(OutcomeOf<workflow::SuspendRequest>);
  Fill(*call);
  call->steps = std::move(wait.steps);
  call->until = wait.until;
  call->waits_for_events = std::move(wait.events);
  call->waits_for_children = wait.children;
  return call;
}

CallPtr<workflow::Outcome, workflow::SuspendRequest> RunCore::MakeGiveBack(
    Duration delay, std::vector<StoredStep> steps) {
  auto call = MakeSuspend({.steps = std::move(steps)});
  call->delay = delay;
  return call;
}

CallPtr<workflow::Outcome, workflow::SuspendRequest> RunCore::MakePause(
    std::optional<Json> error, std::optional<Duration> resume_after,
    std::vector<StoredStep> steps) {
  auto call = MakeSuspend({.steps = std::move(steps)});
  call->is_pause = true;
  call->reason = std::move(error);
  call->delay = resume_after;
  return call;
}

CallPtr<workflow::Outcome, workflow::FinishRequest> RunCore::MakeFinish(RunStatus status,
                                                                        std::optional<Json> output,
                                                                        std::optional<Json> error) {
  auto call =
      store_->MakeCall<Outcome, workflow::FinishRequest>(OutcomeOf<workflow::FinishRequest>);
  Fill(*call);
  call->status = status;
  call->output = std::move(output);
  call->failure = std::move(error);
  return call;
}

// ---- Transactions

namespace {

// What the database was in trouble with, in whatever the body has wrapped that, is no fault of the
// body's.
void ThrowPassing(const TransactionCore& transaction) {
  try {
    transaction.CheckSound();
  } catch (const driver::Failure&) {
    throw;
  } catch (...) {
    // The body has thrown because of it.
  }
}

}  // namespace

RunCore::Outcome RunCore::Transact(StoredStep& step, const TransactionBody& body,
                                   bool& body_threw) {
  ++step.attempts;
  step.error.reset();
  step.retry_at.reset();
  body_threw = false;
  workflow::TransactionStep work(run_, epoch_, step, [&](driver::Connection& connection) {
    body_threw = false;
    TransactionCore transaction(connection);
    try {
      auto output = body(transaction.transaction());
      transaction.CheckSound();
      store_->CheckOutput(output);
      return output;
    } catch (const driver::Failure&) {
      throw;
    } catch (...) {
      ThrowPassing(transaction);
      body_threw = true;
      throw;
    }
  });
  try {
    store_->engine().Transact(
        [&](driver::Connection& connection) { work.Run(connection); },
        [&](driver::Connection& connection) { return work.IsRecorded(connection); });
  } catch (const workflow::TransactionStep::FencedOff&) {
    return Outcome::kStale;
  }
  if (!work.is_recorded()) return work.outcome();
  step.status = StepStatus::kSuccess;
  step.output = work.output();
  Know(step);
  return work.outcome();
}

// ---- Errors

Json StoredError::AsJson() const {
  std::vector<std::pair<std::string, Json>> members = {
      {"message", Json(message)}, {"code", Json(code)}, {"is_transient", ToJson(is_transient)}};
  if (!step.empty()) members.emplace_back("step", Json(step));
  return JsonObject(members);
}

StoredError StoredError::From(const Json& json) {
  StoredError error;
  if (json.text().front() != '{') return {.message = json.text(), .code = {}};
  for (const auto& [key, value] : JsonMembers(json)) {
    if (key == "message" && value.IsString()) error.message = value.AsString();
    if (key == "code" && value.IsString()) error.code = value.AsString();
    if (key == "step" && value.IsString()) error.step = value.AsString();
    if (key == "is_transient") error.is_transient = value.text() == "true";
  }
  return error;
}

StoredError StoredError::Of(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const WorkflowError& failed) {
    return {.message = util::Storable(failed.what()),
            .code = util::Storable(failed.code().c_str()),
            .step = failed.step()};
  } catch (const TransientStepError& failed) {
    return {.message = util::Storable(failed.what()),
            .code = util::Storable(failed.code().c_str()),
            .is_transient = true};
  } catch (const std::exception& failed) {
    return {.message = util::Storable(failed.what()), .code = TypeName(typeid(failed))};
  } catch (...) {
    const auto* type = abi::__cxa_current_exception_type();
    return {.message = "something was thrown that is no std::exception",
            .code = type != nullptr ? TypeName(*type) : "unknown"};
  }
}

}  // namespace pgqrs::internal
