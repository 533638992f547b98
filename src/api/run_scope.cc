#include "api/run_scope.h"

#include <pgqrs/error.h>
#include <pgqrs/json_converter.h>
#include <pgqrs/workflow.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <random>
#include <thread>

#include "api/arguments.h"
#include "api/backoff.h"
#include "api/uuid.h"
#include "api/workflow_refs.h"
#include "util/thread.h"

namespace pgqrs::internal {
namespace {

using Why = RunInterruption::Why;

// Of a step that asks for another try without having a policy: three beyond the first one.
constexpr int kTriesWithoutPolicy = 4;

// Whose step this thread is inside of.
thread_local const RunCore* in_step_of = nullptr;

class InStep {
 public:
  explicit InStep(const RunCore* core) : before_(std::exchange(in_step_of, core)) {}
  InStep(const InStep&) = delete;
  InStep& operator=(const InStep&) = delete;
  ~InStep() { in_step_of = before_; }

 private:
  const RunCore* const before_;
};

// A try of a step took too long.
class StepTimeout : public Error {
 public:
  using Error::Error;
};

void CheckStepOptions(const StepOptions& options) {
  constexpr int kMostTries = 1'000'000;
  if (options.retry) CheckCount("retry.max_attempts", options.retry->max_attempts, 1, kMostTries);
  if (options.timeout) CheckDuration("timeout", *options.timeout, std::chrono::milliseconds(1));
}

// Asks a body to stop when its time is up.
class Deadline {
 public:
  Deadline(engine::Timer& timer, const std::optional<Duration>& timeout)
      : timer_(timer), source_(std::make_shared<std::stop_source>()), timeout_(timeout) {
    if (!timeout_) return;
    end_ = std::chrono::steady_clock::now() + *timeout_;
    id_ = timer_.At(end_, [source = source_] { source->request_stop(); });
  }
  Deadline(const Deadline&) = delete;
  Deadline& operator=(const Deadline&) = delete;
  ~Deadline() {
    if (timeout_) timer_.Cancel(id_);
  }

  std::stop_token token() const { return source_->get_token(); }
  void Check() const {
    if (!timeout_ || std::chrono::steady_clock::now() < end_) return;
    throw StepTimeout("the step took longer than its timeout");
  }

 private:
  engine::Timer& timer_;
  std::shared_ptr<std::stop_source> source_;
  const std::optional<Duration> timeout_;
  std::chrono::steady_clock::time_point end_;
  engine::Timer::Id id_;
};

TimePoint After(TimePoint now, Duration delay) {
  return delay > TimePoint::max() - now ? TimePoint::max() : now + delay;
}

}  // namespace

// ---- Calls in general

void RunScope::CheckMayCall() const {
  if (const auto why = interrupted()) throw RunInterruption(*why);
  {
    const std::lock_guard lock(execution_.mutex);
    if (execution_.mismatch) throw NonDeterminismError(*execution_.mismatch);
  }
  if (in_step_of == execution_.core.get()) {
    throw Error("the RunContext was used inside of a step; a step cannot have steps");
  }
}

template <typename F>
auto RunScope::Matched(F check) {
  try {
    return check();
  } catch (const NonDeterminismError& error) {
    const std::lock_guard lock(execution_.mutex);
    if (!execution_.mismatch) execution_.mismatch = error.what();
    throw;
  }
}

StepClaim RunScope::Claim(std::string_view name, StepKind kind) {
  const auto refuse = [name](std::string_view why) {
    throw Error('"' + std::string(name) + "\" was called " + std::string(why));
  };
  if (has_branches_) {
    refuse(
        "on the RunContext of the run within its Parallel; a branch uses the one that it is called "
        "with");
  }
  if (std::this_thread::get_id() != thread_) {
    refuse(
        "on another thread than that of its RunContext: the order of such calls could not be told "
        "in "
        "a replay");
  }
  return Matched([&] { return core().Claim(prefix_, name, kind); });
}

void RunScope::CheckEnd() {
  Matched([this] { core().CheckEnd(prefix_); });
}

void RunScope::CheckNotStopping() {
  if (must_stop()) Interrupt(Why::kStopping);
}

void RunScope::Interrupt(Why why) {
  interrupted_ = why;
  throw RunInterruption(why);
}

void RunScope::Suspend(const RunWait& wait) {
  {
    const std::lock_guard lock(execution_.mutex);
    execution_.wait.Add(wait);
  }
  Interrupt(Why::kSuspended);
}

void RunScope::Check(Outcome outcome) {
  switch (outcome) {
    case Outcome::kDone:
      return;
    case Outcome::kStale:
      Interrupt(Why::kStale);
    case Outcome::kCancelled:
      Interrupt(Why::kCancelled);
    case Outcome::kPaused:
      Interrupt(Why::kPaused);
  }
}

// The database cannot be reached, or is in trouble. That is no fault of the workflow: somebody goes
// on with it later.
void RunScope::GiveUp(const std::exception& error) {
  const std::array fields = {LogField{"run", std::to_string(core().id())},
                             LogField{"error", error.what()}};
  core().store().engine().Log(LogLevel::kWarning, "a run could not go on", fields);
  Interrupt(Why::kStopping);
}

template <typename T, typename Request>
T RunScope::Ask(CallPtr<T, Request> call) {
  try {
    return core().store().Run(std::move(call));
  } catch (const std::exception& error) {
    GiveUp(error);
  }
}

TimePoint RunScope::CurrentTime() const {
  return std::max(core().store().engine().ApproximateNow(), execution_.began_at);
}

// ---- Steps

void RunScope::ThrowFailed(const StoredStep& step) {
  const auto error = StoredError::From(step.error.value_or(Json()));
  if (step.attempts > 1) {
    throw RetriesExhaustedError("step \"" + step.name + "\" failed " +
                                    std::to_string(step.attempts) + " times: " + error.message,
                                error.code, step.name);
  }
  throw WorkflowError("step \"" + step.name + "\": " + error.message, error.code, step.name);
}

std::optional<Json> RunScope::Replay(const StepClaim& claim) {
  const auto& step = claim.step;
  if (claim.is_recorded && step.status == StepStatus::kSuccess) return step.output.value_or(Json());
  if (claim.is_recorded && step.status == StepStatus::kError) {
    if (!step.retry_at) ThrowFailed(step);
    if (*step.retry_at > CurrentTime()) Suspend({.until = step.retry_at});
  }
  CheckNotStopping();
  return std::nullopt;
}

Json RunScope::Step(std::string_view name, const StepBody& body, const StepOptions& options) {
  CheckMayCall();
  CheckStepName(name);
  CheckStepOptions(options);
  auto claim = Claim(name, StepKind::kStep);
  if (auto recorded = Replay(claim)) return *std::move(recorded);
  auto& step = claim.step;
  try {
    const InStep inside(execution_.core.get());
    const Deadline deadline(core().store().engine().timer(), options.timeout);
    auto output = body(deadline.token());
    deadline.Check();
    core().store().CheckPayload(output);
    step.output = std::move(output);
  } catch (const RunInterruption&) {
    throw;
  } catch (...) {
    Fail(std::move(step), std::current_exception(), options);
  }
  ++step.attempts;
  step.status = StepStatus::kSuccess;
  step.error.reset();
  step.retry_at.reset();
  Record(step);
  return *std::move(step.output);
}

void RunScope::Fail(StoredStep step, const std::exception_ptr& error, const StepOptions& options) {
  auto stored = StoredError::Of(error);
  std::optional<Duration> retry_after;
  try {
    std::rethrow_exception(error);
  } catch (const TransientStepError& transient) {
    retry_after = transient.retry_after();
  } catch (const StepTimeout&) {
    stored.code = "StepTimeout";
  } catch (...) {
    // Nothing more is known of it.
  }
  const auto policy = options.retry.value_or(
      StepRetryPolicy{.max_attempts = stored.is_transient ? kTriesWithoutPolicy : 1});
  ++step.attempts;
  step.status = StepStatus::kError;
  step.output.reset();
  step.retry_at.reset();
  stored.step = step.name;
  stored.is_transient = step.attempts < policy.max_attempts;
  step.error = stored.AsJson();
  if (!stored.is_transient) {
    Record(step);
    ThrowFailed(step);
  }
  const auto delay = std::clamp(retry_after.value_or(policy.backoff.Delay(step.attempts)),
                                Duration::zero(), kMaxDuration);
  step.retry_at = After(CurrentTime(), delay);
  const auto until = step.retry_at;
  const std::array fields = {
      LogField{"run", std::to_string(core().id())}, LogField{"step", step.name},
      LogField{"attempt", std::to_string(step.attempts)},
      LogField{"retry_in_us", std::to_string(delay.count())}, LogField{"error", stored.message}};
  core().store().engine().Log(LogLevel::kWarning, "a step failed, and is tried again", fields);
  Suspend({.steps = {std::move(step)}, .until = until});
}

Json RunScope::TransactionStep(std::string_view name, const std::function<Json(Transaction&)>& body,
                               const StepOptions& options) {
  CheckMayCall();
  CheckStepName(name);
  CheckStepOptions(options);
  auto claim = Claim(name, StepKind::kTransaction);
  if (auto recorded = Replay(claim)) return *std::move(recorded);
  auto step = claim.step;
  bool body_threw = false;
  const Deadline deadline(core().store().engine().timer(), options.timeout);
  const auto timed = [&](Transaction& transaction) {
    const InStep inside(execution_.core.get());
    auto output = body(transaction);
    deadline.Check();
    return output;
  };
  auto outcome = Outcome::kStale;
  try {
    outcome = core().Transact(step, timed, body_threw);
  } catch (const engine::TransactionRefused& refused) {
    Fail(std::move(claim.step), std::make_exception_ptr(InternalError(refused.what())), options);
  } catch (const std::exception& error) {
    if (!body_threw) GiveUp(error);
    Fail(std::move(claim.step), std::current_exception(), options);
  } catch (...) {
    if (!body_threw) throw;
    Fail(std::move(claim.step), std::current_exception(), options);
  }
  Check(outcome);
  return *std::move(step.output);
}

Json RunScope::Once(std::string_view name, StepKind kind, const std::function<Json()>& make) {
  CheckMayCall();
  auto claim = Claim(name, kind);
  if (auto recorded = Replay(claim)) return *std::move(recorded);
  claim.step.status = StepStatus::kSuccess;
  claim.step.output = make();
  Record(claim.step);
  return *std::move(claim.step.output);
}

TimePoint RunScope::Now() {
  const auto micros = Once("now", StepKind::kNow, [this] {
    return ToJson(static_cast<std::int64_t>(CurrentTime().time_since_epoch().count()));
  });
  return TimePoint(Duration(FromJson<std::int64_t>(micros)));
}

std::string RunScope::RandomUuid() {
  return Once("uuid", StepKind::kUuid, [] { return Json(MakeRandomUuid()); }).AsString();
}

// ---- Waits

void RunScope::SleepUntil(TimePoint time) {
  CheckMayCall();
  CheckTime("time", time);
  auto claim = Claim("sleep", StepKind::kSleep);
  auto& step = claim.step;
  if (claim.is_recorded) time = step.wake_at.value_or(time);
  const bool is_over = time <= CurrentTime();
  if (claim.is_recorded && (is_over || step.status == StepStatus::kSuccess)) return;
  step.wake_at = time;
  if (is_over) {
    step.status = StepStatus::kSuccess;
    Record(step);
    return;
  }
  RunWait wait = {.until = time};
  if (!claim.is_recorded) wait.steps.push_back(step);
  Suspend(wait);
}

std::optional<Json> RunScope::WaitForEvent(std::string_view name, std::optional<Duration> timeout) {
  CheckMayCall();
  CheckStepName(name);
  if (timeout) CheckDuration("timeout", *timeout, Duration::zero());
  auto claim = Claim(name, StepKind::kEvent);
  auto& step = claim.step;
  if (claim.is_recorded && step.status == StepStatus::kSuccess) return step.output;
  CheckNotStopping();
  if (!claim.is_recorded && timeout) step.wake_at = After(CurrentTime(), *timeout);
  auto received = Ask(core().MakeReceive(step, std::string(name)));
  Check(received.outcome);
  if (received.payload) return std::move(received.payload);
  if (step.wake_at && *step.wake_at <= CurrentTime()) {
    step.status = StepStatus::kSuccess;
    Record(step);
    return std::nullopt;
  }
  Suspend({.until = step.wake_at, .events = {std::string(name)}});
}

ChildStep RunScope::StartChild(const WorkflowDefinition& workflow, const Json& input,
                               const ChildOptions& options) {
  CheckMayCall();
  core().store().CheckPayload(input);
  CheckCount("priority", options.priority, 0, queue::kPriorities - 1);
  if (options.delay) CheckDuration("delay", *options.delay, Duration::zero());
  auto claim = Claim(workflow.name, StepKind::kChild);
  ChildStep step = {.name = claim.step.name, .ordinal = claim.step.ordinal};
  // One that has failed has none any more when its parent is retried.
  if (claim.step.child_id != 0) {
    step.child_id = claim.step.child_id;
    return step;
  }
  CheckNotStopping();
  auto& refs = core().store().workflows();
  RunCore::Child child;
  try {
    child = core().store().Run(core().MakeChild(std::move(claim.step),
                                                refs.Get(core().store(), workflow.name), input,
                                                options, workflow.version));
  } catch (const std::exception& error) {
    refs.Forget(workflow.name);  // It may have been deleted; the next execution makes it anew.
    GiveUp(error);
  }
  Check(child.outcome);
  step.child_id = child.id;
  return step;
}

Json RunScope::AwaitChild(const ChildStep& child) {
  CheckMayCall();
  const auto step = core().Get(child.name, child.ordinal);
  if (step.status == StepStatus::kSuccess) return step.output.value_or(Json());
  if (step.status == StepStatus::kError) {
    const auto error = StoredError::From(step.error.value_or(Json()));
    throw WorkflowError("child run " + std::to_string(child.child_id) + " of workflow \"" +
                            child.name + "\": " + error.message,
                        error.code, child.name);
  }
  Suspend({.children = true});
}

// ---- Branches

workflow::StoredStep RunScope::BeginParallel(std::string_view name, std::int64_t branches) {
  auto claim = Claim(name, StepKind::kParallel);
  auto& step = claim.step;
  const auto count = ToJson(branches);
  if (!claim.is_recorded) {
    CheckNotStopping();
    step.output = count;
    Record(step);
  } else if (step.output && *step.output != count) {
    Matched([&] {
      core().ThrowNonDeterminism("\"" + step.name + "\" was called with " + count.text() +
                                 " branches, and is recorded with " + step.output->text());
    });
  }
  return step;
}

RunScope& RunScope::NewBranch(std::string prefix) {
  auto scope = std::make_shared<RunScope>(execution_, std::move(prefix));
  const std::lock_guard lock(execution_.mutex);
  return *execution_.branches.emplace_back(std::move(scope));
}

std::vector<RunScope::BranchEnd> RunScope::RunBranches(const std::string& prefix,
                                                       const Branches& branches) {
  std::vector<BranchEnd> ends(branches.size());
  has_branches_ = true;
  const auto run = [&](std::size_t i) {
    try {
      auto& scope = NewBranch(prefix + "[" + std::to_string(i) + "]/");
      branches[i](scope.context());
      if (const auto why = scope.interrupted()) throw RunInterruption(*why);
      scope.CheckEnd();
    } catch (const RunInterruption& interruption) {
      ends[i].interrupted = interruption.why();
    } catch (...) {
      ends[i].error = std::current_exception();
    }
  };
  std::vector<std::thread> threads;
  std::exception_ptr no_thread;
  try {
    for (std::size_t i = 1; i < branches.size(); ++i) {
      threads.push_back(util::StartThread([&run, i] { run(i); }));
    }
  } catch (const Error&) {
    no_thread = std::current_exception();
  }
  if (!no_thread) run(0);
  for (auto& thread : threads) thread.join();
  has_branches_ = false;
  if (no_thread) Interrupt(Why::kStopping);
  return ends;
}

void RunScope::Parallel(std::string_view name, const Branches& branches) {
  constexpr std::int64_t kMostBranches = 64;
  CheckMayCall();
  CheckStepName(name);
  const auto count = static_cast<std::int64_t>(branches.size());
  CheckCount("branches", count, 1, kMostBranches);
  auto step = BeginParallel(name, count);
  const auto call = step.ordinal > 0 ? "#" + std::to_string(step.ordinal + 1) : std::string();
  const auto ends = RunBranches(step.name + call, branches);
  std::optional<Why> interrupted;
  std::exception_ptr error;
  for (const auto& end : ends) {
    if (end.interrupted && (!interrupted || *interrupted == Why::kSuspended)) {
      interrupted = end.interrupted;
    }
    if (!error) error = end.error;
  }
  if (interrupted) Interrupt(*interrupted);
  CheckMayCall();
  if (step.status == StepStatus::kRunning) {
    step.status = error ? StepStatus::kError : StepStatus::kSuccess;
    if (error) step.error = StoredError::Of(error).AsJson();
    Record(std::move(step));
  }
  if (error) std::rethrow_exception(error);
}

}  // namespace pgqrs::internal

namespace pgqrs {

std::int64_t RunContext::id() const { return scope_.core().id(); }
const Json& RunContext::input() const { return scope_.core().input(); }
bool RunContext::MustStop() const { return scope_.must_stop(); }

Json RunContext::RunStep(std::string_view name,
                         const std::function<Json(const std::stop_token&)>& body,
                         const StepOptions& options) {
  return scope_.Step(name, body, options);
}

Json RunContext::RunTransactionStep(std::string_view name,
                                    const std::function<Json(Transaction&)>& body,
                                    const StepOptions& options) {
  return scope_.TransactionStep(name, body, options);
}

void RunContext::Sleep(Duration duration) {
  internal::CheckDuration("duration", duration, Duration::zero());
  scope_.SleepUntil(scope_.CurrentTime() + duration);
}
void RunContext::SleepUntil(TimePoint time) { scope_.SleepUntil(time); }
TimePoint RunContext::Now() { return scope_.Now(); }
std::string RunContext::RandomUuid() { return scope_.RandomUuid(); }

std::optional<Json> RunContext::WaitForEvent(std::string_view name,
                                             std::optional<Duration> timeout) {
  return scope_.WaitForEvent(name, timeout);
}

internal::ChildStep RunContext::StartChild(const WorkflowDefinition& workflow, const Json& input,
                                           const ChildOptions& options) {
  return scope_.StartChild(workflow, input, options);
}
Json RunContext::AwaitChild(const internal::ChildStep& step) { return scope_.AwaitChild(step); }

void RunContext::RunParallel(std::string_view name,
                             const std::vector<std::function<void(RunContext&)>>& branches) {
  scope_.Parallel(name, branches);
}

Duration Backoff::Delay(int attempts) const {
  if (kind_ == Kind::kFixed) return base_;
  return internal::ExponentialDelay(base_, max_, attempts, kind_ == Kind::kJitter);
}

}  // namespace pgqrs
