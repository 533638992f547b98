// A worker that executes runs of workflows.
#ifndef PGQRS_WORKFLOW_WORKER_H_
#define PGQRS_WORKFLOW_WORKER_H_

#include <pgqrs/queue_worker.h>
#include <pgqrs/time.h>
#include <pgqrs/workflow.h>

#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace pgqrs {

class PgqrsStore;

namespace internal {
class WorkflowWorkerCore;
}  // namespace internal

struct WorkflowWorkerOptions {
  // Shown in pgqrs_workers. Empty: one is made up.
  std::string name = {};

  // How many runs of each workflow are executed at once, each on a thread of the worker. From 1 to
  // 10,000. A run that sleeps or waits does not count.
  int concurrency = 1;

  // How soon others take over the runs of a process that died. The worker extends the leases of its
  // runs while it lives. None: Config::default_lease.
  std::optional<Duration> lease = {};
};

// One workflow, of whatever types, and in one of its versions.
class AnyWorkflow {
 public:
  template <typename Input, typename Output>
  AnyWorkflow(const Workflow<Input, Output>& workflow)  // NOLINT(google-explicit-constructor)
      : definition_(workflow.definition()) {}
  explicit AnyWorkflow(std::shared_ptr<const WorkflowDefinition> definition)
      : definition_(std::move(definition)) {}

  const std::shared_ptr<const WorkflowDefinition>& definition() const { return definition_; }

 private:
  std::shared_ptr<const WorkflowDefinition> definition_;
};

// Executes the runs of some workflows.
//
//   pgqrs::WorkflowWorker worker(store, {greet, archive}, {.concurrency = 8});
//   worker.Run();   // until Stop or RequestStop is called elsewhere
//
// Several definitions may have one name and different versions: a run goes on with the version that
// it began with, and a new one begins with the version that it was triggered with, or else the
// highest. A run whose version the worker lacks is given back for a while, and logged.
//
// When a worker stops, a run that is inside of a step finishes that step; it is then given back,
// and another worker goes on with it at once.
class WorkflowWorker {
 public:
  // Makes the workflows where they are missing. ValidationError where there is none, one has the
  // same name and version as another, or an option is out of its range.
  WorkflowWorker(const PgqrsStore& store, const std::vector<AnyWorkflow>& workflows,
                 const WorkflowWorkerOptions& options = {});
  WorkflowWorker(const WorkflowWorker&) = delete;
  WorkflowWorker& operator=(const WorkflowWorker&) = delete;
  // Stops, and waits for the steps that run.
  ~WorkflowWorker();

  // As those of QueueWorker.
  void Run();
  void Start();
  void RequestStop();
  bool Stop(Duration deadline = std::chrono::seconds(30));

  // How many runs have ended well, failed, and were left to be continued (asleep, waiting for
  // something, given back) by this worker.
  struct Counts {
    std::uint64_t succeeded = 0;
    std::uint64_t failed = 0;
    std::uint64_t suspended = 0;
  };
  Counts counts() const;

 private:
  std::shared_ptr<internal::WorkflowWorkerCore> core_;
};

}  // namespace pgqrs

#endif  // PGQRS_WORKFLOW_WORKER_H_
