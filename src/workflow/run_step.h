#ifndef PGQRS_WORKFLOW_RUN_STEP_H_
#define PGQRS_WORKFLOW_RUN_STEP_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "driver/driver.h"
#include "workflow/request.h"
#include "workflow/run_message.h"
#include "workflow/run_rows.h"

namespace pgqrs::workflow {

// Carries out the requests of a group on runs, one after another, in the order of the runs' ids:
// two groups then do not lock them in each other's way. Every request finds out whether it has
// happened already, so it may be repeated.
class RunStep {
 public:
  RunStep(driver::Connection& connection, Effects& effects,
          std::function<std::int64_t(queue::Worker&)> worker_id,
          std::function<std::int64_t()> next_batch_id)
      : connection_(connection),
        effects_(effects),
        worker_id_(std::move(worker_id)),
        next_batch_id_(std::move(next_batch_id)) {}

  void Run(std::vector<RunRequest*> requests);

 private:
  void Run(RunRequest& request);
  void Trigger(TriggerRequest& request);
  void Start(StartRequest& request);
  void Record(RecordRequest& request);
  void Receive(ReceiveRequest& request);
  void Child(ChildRequest& request);
  void Suspend(SuspendRequest& request);
  void Finish(FinishRequest& request);
  void SendEvent(SendEventRequest& request);

  // Locks the run and says whether the epoch may still do something to it.
  Outcome Fence(const RunRequest& request, std::optional<RunState>& run);
  // Records a step of a run that is executed, and gives the outcome of that.
  Outcome Record(const RunRequest& request, const StoredStep& step, Outcome fence);
  std::optional<RunState> LockOrAdopt(StartRequest& request);
  void Answer(StartRequest& request, const RunState& run);
  void Pause(SuspendRequest& request, RunState& run);
  std::int64_t WakeTime(const SuspendRequest& request, const RunState& run);
  bool HasHappened(const SuspendRequest& request, const RunState& run);
  std::int64_t TriggerChild(ChildRequest& request);
  // Whether the workflow still exists; where not, the request gets the error.
  bool CheckWorkflow(RunRequest& request, const WorkflowRef& workflow);

  driver::Connection& connection_;
  Effects& effects_;
  const std::function<std::int64_t(queue::Worker&)> worker_id_;
  const std::function<std::int64_t()> next_batch_id_;
};

// The outcome of a request under an epoch of a run as it is.
Outcome FenceOf(const std::optional<RunState>& run, std::int64_t epoch);
// Whether what an execution has done may still be recorded, where that is its outcome.
bool MayRecord(Outcome fence, const std::optional<RunState>& run);

}  // namespace pgqrs::workflow

#endif  // PGQRS_WORKFLOW_RUN_STEP_H_
