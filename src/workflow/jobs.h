// What is done to workflows and runs from outside of their executions, each in a transaction that
// the caller begins and commits: a job of the engine.
#ifndef PGQRS_WORKFLOW_JOBS_H_
#define PGQRS_WORKFLOW_JOBS_H_

#include <pgqrs/json.h>
#include <pgqrs/time.h>
#include <pgqrs/workflow_records.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "driver/driver.h"
#include "queue/queues.h"
#include "queue/request.h"
#include "workflow/request.h"
#include "workflow/run_message.h"
#include "workflow/run_rows.h"

namespace pgqrs::workflow {

// Finds or makes a workflow, with its queue. A queue of that name that is there already becomes the
// workflow's. With kCreateStrictly ValidationError where the workflow is there, with kFail
// QueueNotFoundError where it is not.
WorkflowInfo EnsureWorkflow(driver::Connection& connection, std::string_view name,
                            queue::IfMissing if_missing = queue::IfMissing::kCreate);

// Cancels a run and the runs that it has triggered, theirs too, a bounded number in each step. One
// that a worker executes becomes Cancelling and ends at its next boundary, others are Cancelled at
// once. The first step throws ValidationError where there is no such run. A run that is finished
// stays as it is; what it has triggered is cancelled all the same where it was named by its id.
class Cancellation {
 public:
  explicit Cancellation(std::int64_t run_id) : run_id_(run_id) {}
  // Of many runs: all unfinished ones that the filter lets through, whatever its page, with what
  // they have triggered.
  explicit Cancellation(RunFilter filter) : filter_(std::move(filter)) {}

  // Answers whether there is more to do.
  bool Step(driver::Connection& connection);
  // How many of those that were asked for were not finished and not Cancelling before.
  std::int64_t cancelled() const { return cancelled_; }

 private:
  // The children of a run, up to the last that was cancelled.
  struct Family {
    std::int64_t parent_id = 0;
    std::int64_t last_child = 0;
  };

  void FindSome(driver::Connection& connection);
  bool IsAskedFor(const RunState& run) const;
  bool Cancel(driver::Connection& connection, RunState& run, Effects& effects);
  std::int64_t CancelChildren(driver::Connection& connection, std::int64_t limit, Effects& effects);

  std::int64_t run_id_ = 0;
  std::optional<RunFilter> filter_;
  bool has_begun_ = false;
  std::int64_t last_found_ = 0;
  std::vector<std::int64_t> asked_;  // Those that are left of what was found.
  std::vector<Family> families_;     // Each within the one before.
  std::int64_t cancelled_ = 0;
};

// Pauses a run that no worker executes, at once; another one pauses at its next boundary. What is
// Paused until some time stays Paused until it is resumed. Throws ValidationError where there is no
// such run, or it is Cancelling or finished.
void PauseRun(driver::Connection& connection, std::int64_t run_id);

// Makes a Paused run go on, or takes back that it is about to pause. Changes nothing where it is
// neither. Throws ValidationError where there is no such run, or it is Cancelling or finished.
void ResumeRun(driver::Connection& connection, std::int64_t run_id);

// Runs what ended as Error or Cancelled again, under its id: finished steps stay, those that failed
// begin anew. Throws ValidationError where there is no such run, it has another status, or a run
// that it has triggered is still Cancelling.
void RetryRun(driver::Connection& connection, std::int64_t run_id);

struct Fork {
  std::int64_t run_id = 0;
  // Steps that come before this one are taken over as they are, where they have an outcome. Without
  // a name all of them.
  std::string step;
  int ordinal = 0;
  std::shared_ptr<queue::Worker> producer;
  std::optional<int> version;  // Of the new run; none: that of the old one.
};

// Triggers a run of the same workflow with the same input and the first steps of another one, and
// gives its id. Throws ValidationError where there is no such run or step.
std::int64_t ForkRun(driver::Connection& connection, const Fork& fork);

// Removes finished runs of a workflow that a policy excludes, with their steps and events, some at
// a time. Their messages are not touched; those have a retention of their own.
class RunRetentionWork {
 public:
  RunRetentionWork(std::int64_t workflow_id, const RunRetention& policy)
      : workflow_id_(workflow_id), policy_(policy) {}

  // Answers whether there is more to do.
  bool Step(driver::Connection& connection);
  std::int64_t removed() const { return removed_; }

 private:
  void FindCut(driver::Connection& connection);

  std::int64_t workflow_id_;
  RunRetention policy_;
  bool has_begun_ = false;
  std::int64_t cut_time_ = 0;  // What finished before, or then with this id or a lower one, goes.
  std::int64_t cut_id_ = 0;
  std::int64_t removed_ = 0;
};

}  // namespace pgqrs::workflow

#endif  // PGQRS_WORKFLOW_JOBS_H_
