#ifndef PGQRS_API_WORKFLOW_WORKER_CORE_H_
#define PGQRS_API_WORKFLOW_WORKER_CORE_H_

#include <pgqrs/workflow_worker.h>

#include <atomic>
#include <map>
#include <memory>
#include <vector>

#include "api/queue_worker_core.h"
#include "api/run_scope.h"
#include "api/store_core.h"

namespace pgqrs::internal {

// The versions of one workflow, from the lowest on.
using WorkflowVersions = std::map<int, std::shared_ptr<const WorkflowDefinition>>;

// Executes runs of one workflow: what the handlers of a worker have in common.
class RunExecutor {
 public:
  RunExecutor(std::shared_ptr<StoreCore> store, WorkflowVersions versions,
              std::shared_ptr<const std::atomic<bool>> stopping)
      : store_(std::move(store)), versions_(std::move(versions)), stopping_(std::move(stopping)) {}

  QueueWorkerCore::Handling Execute(const Message& message);

  WorkflowWorker::Counts counts() const {
    return {.succeeded = succeeded_, .failed = failed_, .suspended = suspended_};
  }

 private:
  std::shared_ptr<RunCore> Start(const Message& message);
  void RunFunction(const WorkflowDefinition& definition, const std::shared_ptr<RunCore>& core,
                   TimePoint began_at);
  void Conclude(const RunExecution& execution, RunInterruption::Why why);
  void Finish(RunCore& core, RunStatus status, std::optional<Json> output,
              std::optional<Json> error);
  template <typename Request>
  RunCore::Outcome Ask(const RunCore& core, CallPtr<RunCore::Outcome, Request> call);
  void Log(LogLevel level, std::string_view message, const RunCore& core,
           std::string_view why) const;

  const std::shared_ptr<StoreCore> store_;
  const WorkflowVersions versions_;
  const std::shared_ptr<const std::atomic<bool>> stopping_;
  std::atomic<std::uint64_t> succeeded_ = 0;
  std::atomic<std::uint64_t> failed_ = 0;
  std::atomic<std::uint64_t> suspended_ = 0;
};

// One worker of a queue for each workflow.
class WorkflowWorkerCore {
 public:
  WorkflowWorkerCore(const std::shared_ptr<StoreCore>& store,
                     const std::vector<AnyWorkflow>& workflows,
                     const WorkflowWorkerOptions& options);

  void Run();
  void Start();
  void RequestStop();
  bool Stop(Duration deadline);
  void Shutdown() noexcept;
  WorkflowWorker::Counts counts() const;

 private:
  const std::shared_ptr<std::atomic<bool>> stopping_;
  std::vector<std::shared_ptr<RunExecutor>> executors_;
  std::vector<std::shared_ptr<QueueWorkerCore>> workers_;
};

}  // namespace pgqrs::internal

#endif  // PGQRS_API_WORKFLOW_WORKER_CORE_H_
