// What a RunContext stands for: the calls of a workflow's function, which wait for the storage.
#ifndef PGQRS_API_RUN_SCOPE_H_
#define PGQRS_API_RUN_SCOPE_H_

#include <pgqrs/run_context.h>

#include <atomic>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "api/run_core.h"

namespace pgqrs::internal {

class RunScope;

// What the scopes of an execution share: that of the function and those of branches.
struct RunExecution {
  RunExecution(std::shared_ptr<RunCore> run_core,
               std::shared_ptr<const std::atomic<bool>> must_stop, TimePoint begun)
      : core(std::move(run_core)), stopping(std::move(must_stop)), began_at(begun) {}

  const std::shared_ptr<RunCore> core;
  const std::shared_ptr<const std::atomic<bool>> stopping;
  const TimePoint began_at;  // By the database's clock.

  std::mutex mutex;
  RunWait wait;                         // What the run waits for, once it is suspended.
  std::optional<std::string> mismatch;  // How the code does not match what is recorded.
  // A child that a branch has started may be awaited when the branch has ended.
  std::vector<std::shared_ptr<RunScope>> branches;
};

class RunScope {
 public:
  RunScope(RunExecution& execution, std::string prefix)
      : execution_(execution), prefix_(std::move(prefix)), context_(*this) {}

  RunContext& context() { return context_; }
  RunCore& core() const { return *execution_.core; }
  // Why the execution cannot go on, if it cannot.
  std::optional<RunInterruption::Why> interrupted() const { return interrupted_; }
  bool must_stop() const { return *execution_.stopping; }

  using StepBody = std::function<Json(const std::stop_token&)>;
  Json Step(std::string_view name, const StepBody& body, const StepOptions& options);
  Json TransactionStep(std::string_view name, const std::function<Json(Transaction&)>& body,
                       const StepOptions& options);
  void SleepUntil(TimePoint time);
  TimePoint Now();
  std::string RandomUuid();
  std::optional<Json> WaitForEvent(std::string_view name, std::optional<Duration> timeout);
  ChildStep StartChild(const WorkflowDefinition& workflow, const Json& input,
                       const ChildOptions& options);
  Json AwaitChild(const ChildStep& step);
  using Branches = std::vector<std::function<void(RunContext&)>>;
  void Parallel(std::string_view name, const Branches& branches);

  // Throws where the code has ended before all recorded steps of this scope.
  void CheckEnd();

  // The database's clock, which never is behind the time at which the run was handed out.
  TimePoint CurrentTime() const;

 private:
  using Outcome = RunCore::Outcome;
  using StoredStep = workflow::StoredStep;

  struct BranchEnd {
    std::optional<RunInterruption::Why> interrupted;
    std::exception_ptr error;
  };

  // Throws where the execution cannot go on.
  void CheckMayCall() const;
  // Calls what may throw NonDeterminismError, which the execution then keeps: it can only be
  // paused.
  template <typename F>
  auto Matched(F check);
  StepClaim Claim(std::string_view name, StepKind kind);
  void CheckNotStopping();
  [[noreturn]] void Interrupt(RunInterruption::Why why);
  [[noreturn]] void Suspend(const RunWait& wait);
  void Check(Outcome outcome);
  template <typename T, typename Request>
  T Ask(CallPtr<T, Request> call);
  [[noreturn]] void GiveUp(const std::exception& error);
  void Record(StoredStep step) { Check(Ask(core().MakeRecord(std::move(step)))); }

  // Gives what is recorded of a step that is finished, or throws its error or until when it waits.
  // Nothing where it is to run.
  std::optional<Json> Replay(const StepClaim& claim);
  // Records that a try of the step failed, and throws what comes of that.
  [[noreturn]] void Fail(StoredStep step, const std::exception_ptr& error,
                         const StepOptions& options);
  [[noreturn]] static void ThrowFailed(const StoredStep& step);
  // A value that is made once and recorded.
  Json Once(std::string_view name, StepKind kind, const std::function<Json()>& make);
  // Records that the branches begin, unless that is recorded. Its output is their count.
  StoredStep BeginParallel(std::string_view name, std::int64_t branches);
  // Runs them to their ends, in scopes of their own.
  std::vector<BranchEnd> RunBranches(const std::string& prefix, const Branches& branches);
  RunScope& NewBranch(std::string prefix);

  RunExecution& execution_;
  const std::string prefix_;
  const std::thread::id thread_ = std::this_thread::get_id();
  std::atomic<bool> has_branches_ = false;  // At the moment.
  RunContext context_;
  // A child that this scope has started may be awaited by several branches at once.
  std::atomic<std::optional<RunInterruption::Why>> interrupted_{
      std::optional<RunInterruption::Why>()};
};

}  // namespace pgqrs::internal

#endif  // PGQRS_API_RUN_SCOPE_H_
