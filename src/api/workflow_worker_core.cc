#include "api/workflow_worker_core.h"

#include <pgqrs/error.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <exception>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

#include "api/workflow_refs.h"
#include "util/thread.h"

namespace pgqrs::internal {
namespace {

using Handling = QueueWorkerCore::Handling;
using Outcome = RunCore::Outcome;
using Why = RunInterruption::Why;

// How long a run waits for a worker that has its version, and one that could not be read.
constexpr Duration kLookForVersionAfter = std::chrono::seconds(5);
constexpr Duration kStartAgainAfter = std::chrono::seconds(1);

}  // namespace

// ---- One run

Handling RunExecutor::Execute(const Message& message) {
  const auto core = Start(message);
  if (!core) return Handling::kSettled;
  const auto newest = versions_.rbegin();
  const auto definition =
      core->version() ? versions_.find(*core->version()) : std::prev(newest.base());
  if (definition == versions_.end()) {
    Log(LogLevel::kWarning, "a run was given back", *core,
        "this worker has no version " + std::to_string(*core->version()) + " of the workflow");
    Ask(*core, core->MakeGiveBack(kLookForVersionAfter));
    ++suspended_;
    return Handling::kSettled;
  }
  RunFunction(*definition->second, core, message.dequeued_at());
  return Handling::kSettled;
}

std::shared_ptr<RunCore> RunExecutor::Start(const Message& message) {
  const auto target = MessageAccess::Target(message);
  try {
    return store_->Run(RunCore::MakeStart(store_, {.id = message.id(), .queue_id = target.queue_id},
                                          target.lease_token, message.payload(),
                                          versions_.rbegin()->first));
  } catch (const std::exception& error) {
    throw RetryAfter(kStartAgainAfter, error.what());
  }
}

void RunExecutor::RunFunction(const WorkflowDefinition& definition,
                              const std::shared_ptr<RunCore>& core, TimePoint began_at) {
  RunExecution execution(core, stopping_, began_at);
  RunScope scope(execution, "");
  std::optional<Json> output;
  std::exception_ptr error;
  auto interrupted = std::optional<Why>();
  try {
    output = definition.body(scope.context());
    if (!scope.interrupted()) {
      store_->CheckPayload(*output);
      scope.CheckEnd();
    }
  } catch (const RunInterruption& interruption) {
    interrupted = interruption.why();
  } catch (const NonDeterminismError& mismatch) {
    if (!execution.mismatch) execution.mismatch = mismatch.what();
  } catch (...) {
    error = std::current_exception();
  }
  // Whatever the function has made of it.
  for (const auto& branch : execution.branches) {
    if (branch->interrupted()) interrupted = branch->interrupted();
  }
  if (scope.interrupted()) interrupted = scope.interrupted();
  if (execution.mismatch) {
    Log(LogLevel::kError, "a run was paused", *core, *execution.mismatch);
    const StoredError stored = {.message = *execution.mismatch, .code = "NonDeterminismError"};
    Ask(*core, core->MakePause(stored.AsJson(), std::nullopt, execution.wait.steps));
    ++suspended_;
  } else if (interrupted) {
    Conclude(execution, *interrupted);
  } else if (error) {
    const auto stored = StoredError::Of(error);
    Log(LogLevel::kWarning, "a run failed", *core, stored.message);
    Finish(*core, RunStatus::kError, std::nullopt, stored.AsJson());
  } else {
    Finish(*core, RunStatus::kSuccess, std::move(output), std::nullopt);
  }
}

void RunExecutor::Conclude(const RunExecution& execution, Why why) {
  auto& core = *execution.core;
  switch (why) {
    case Why::kSuspended:
      Ask(core, core.MakeSuspend(execution.wait));
      break;
    case Why::kCancelled:
      Finish(core, RunStatus::kCancelled, std::nullopt, std::nullopt);
      return;
    case Why::kPaused:
      Ask(core, core.MakePause(std::nullopt, std::nullopt, execution.wait.steps));
      break;
    case Why::kStale:
      Log(LogLevel::kInfo, "a run has another worker now", core, "the lease has ended meanwhile");
      return;
    case Why::kStopping:
      Ask(core, core.MakeGiveBack(*stopping_ ? Duration::zero() : kStartAgainAfter,
                                  execution.wait.steps));
      break;
  }
  ++suspended_;
}

void RunExecutor::Finish(RunCore& core, RunStatus status, std::optional<Json> output,
                         std::optional<Json> error) {
  const auto outcome = Ask(core, core.MakeFinish(status, std::move(output), std::move(error)));
  if (outcome != Outcome::kDone) return;
  if (status == RunStatus::kSuccess) ++succeeded_;
  if (status == RunStatus::kError) ++failed_;
}

// Where that fails the run goes on when the lease of its message ends.
template <typename Request>
Outcome RunExecutor::Ask(const RunCore& core, CallPtr<Outcome, Request> call) {
  try {
    return store_->Run(std::move(call));
  } catch (const std::exception& error) {
    Log(LogLevel::kWarning, "the end of an execution was not recorded", core, error.what());
    return Outcome::kStale;
  }
}

void RunExecutor::Log(LogLevel level, std::string_view message, const RunCore& core,
                      std::string_view why) const {
  const std::array fields = {LogField{"workflow", versions_.begin()->second->name},
                             LogField{"run", std::to_string(core.id())},
                             LogField{"why", std::string(why)}};
  store_->engine().Log(level, message, fields);
}

// ---- The worker

namespace {

std::map<std::string, WorkflowVersions> ByName(const std::vector<AnyWorkflow>& workflows) {
  if (workflows.empty()) throw ValidationError("workflows: are none");
  std::map<std::string, WorkflowVersions> by_name;
  for (const auto& workflow : workflows) {
    const auto& definition = workflow.definition();
    if (!definition) throw ValidationError("workflows: one is empty");
    if (by_name[definition->name].emplace(definition->version, definition).second) continue;
    throw ValidationError("workflows: \"" + definition->name + "\" is there twice in version " +
                          std::to_string(definition->version));
  }
  return by_name;
}

}  // namespace

WorkflowWorkerCore::WorkflowWorkerCore(const std::shared_ptr<StoreCore>& store,
                                       const std::vector<AnyWorkflow>& workflows,
                                       const WorkflowWorkerOptions& options)
    : stopping_(std::make_shared<std::atomic<bool>>(false)) {
  for (auto& [name, versions] : ByName(workflows)) {
    auto queue = std::make_shared<QueueCore>(store, store->workflows().Get(*store, name));
    auto executor = std::make_shared<RunExecutor>(store, std::move(versions), stopping_);
    workers_.push_back(std::make_shared<QueueWorkerCore>(
        std::move(queue), [executor](Message& message) { return executor->Execute(message); },
        WorkerOptions{.name = options.name,
                      .concurrency = options.concurrency,
                      // A run may take long: it is not to wait behind others in this process.
                      .prefetch = 0,
                      .lease = options.lease}));
    executors_.push_back(std::move(executor));
  }
}

void WorkflowWorkerCore::Run() {
  std::mutex mutex;
  std::exception_ptr error;  // Of the first worker that fails; under the mutex.
  std::exception_ptr no_thread;
  const auto run = [&](QueueWorkerCore& worker) {
    try {
      worker.Run();
    } catch (...) {
      const std::lock_guard lock(mutex);
      if (!error) error = std::current_exception();
      for (const auto& other : workers_) other->RequestStop();
    }
  };
  std::vector<std::thread> threads;
  try {
    for (std::size_t i = 1; i < workers_.size(); ++i) {
      threads.push_back(util::StartThread([&, i] { run(*workers_[i]); }));
    }
  } catch (const Error&) {
    no_thread = std::current_exception();
  }
  if (no_thread) {
    for (const auto& worker : workers_) worker->RequestStop();
  } else {
    run(*workers_.front());
  }
  for (auto& thread : threads) thread.join();
  if (no_thread) std::rethrow_exception(no_thread);
  if (error) std::rethrow_exception(error);
}

void WorkflowWorkerCore::Start() {
  for (const auto& worker : workers_) worker->Start();
}

void WorkflowWorkerCore::RequestStop() {
  *stopping_ = true;
  for (const auto& worker : workers_) worker->RequestStop();
}

bool WorkflowWorkerCore::Stop(Duration deadline) {
  RequestStop();
  const auto begin = std::chrono::steady_clock::now();
  bool all = true;
  for (const auto& worker : workers_) {
    const auto passed =
        std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now() - begin);
    all = worker->Stop(std::max(deadline - passed, std::min(deadline, Duration::zero()))) && all;
  }
  return all;
}

void WorkflowWorkerCore::Shutdown() noexcept {
  try {
    RequestStop();  // All of them, before the first one is waited for.
  } catch (const std::exception&) {
    // Each of them finds out for itself.
  }
  for (const auto& worker : workers_) worker->Shutdown();
}

WorkflowWorker::Counts WorkflowWorkerCore::counts() const {
  WorkflowWorker::Counts sum;
  for (const auto& executor : executors_) {
    const auto counts = executor->counts();
    sum.succeeded += counts.succeeded;
    sum.failed += counts.failed;
    sum.suspended += counts.suspended;
  }
  return sum;
}

}  // namespace pgqrs::internal
