// What executions of workflows ask for while they run. These requests travel in groups with those
// of queues, so that the steps of many runs become durable with one commit. See queue/request.h for
// how a request is made and completed.
//
// A run is triggered by queue::EnqueueRequest with `runs` set: each message is a run, and ids[i] is
// the run's id; with an idempotency key by TriggerRequest.
//
// How a run is fenced: StartRequest raises its epoch, and all other requests name the epoch. A
// request under an older one changes nothing and is answered kStale. What becomes of the run's
// message is decided here too, and never by its lease: who has the current epoch may do to the
// message what it wants, so a run whose lease ran out unnoticed goes on until another worker starts
// it. A worker that executes a run must neither ack, release nor delete the message by itself; it
// may extend the lease, and release the message of a run that it has not started.
#ifndef PGQRS_WORKFLOW_REQUEST_H_
#define PGQRS_WORKFLOW_REQUEST_H_

#include <pgqrs/json.h>
#include <pgqrs/time.h>
#include <pgqrs/workflow_records.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "queue/request.h"

namespace pgqrs::workflow {

// A workflow has the id of its queue.
using WorkflowRef = queue::QueueRef;

// A run, as requests name it. Its id is that of its message.
struct RunRef {
  std::int64_t id = 0;
  std::int64_t queue_id = 0;
  std::int64_t parent_id = 0;  // Of one that is executed, where it is a child.
};

using Outcome = RunOutcome;

// A step as it is recorded. Name and ordinal are its key.
struct StoredStep {
  std::string name;
  int ordinal = 0;
  int position = 0;
  StepKind kind = StepKind::kStep;
  StepStatus status = StepStatus::kRunning;
  int attempts = 0;
  std::optional<Json> input;
  std::optional<Json> output;
  std::optional<Json> error;
  std::optional<TimePoint> retry_at;
  std::optional<TimePoint> wake_at;
  std::int64_t child_id = 0;  // 0: none. Set by ChildRequest alone, and kept by later records.
};

struct RunRequest : queue::Request {
  enum class What : std::uint8_t {
    kTrigger,
    kStart,
    kRecord,
    kReceive,
    kChild,
    kSuspend,
    kFinish,
    kSendEvent
  };

  explicit RunRequest(What what_to_do) : Request(Kind::kRun), what(what_to_do) {}

  const What what;
  RunRef run;
  std::int64_t epoch = 0;  // The run's, as its start has answered it. Not for a start.

  Outcome outcome = Outcome::kStale;  // The answer.
  bool is_left_over = false;  // Statements on sets could not meet it; for the storage alone.
};

// Triggers a run under an idempotency key: of all triggers of a workflow with one key, in whatever
// processes and at whatever time, one makes the run. `error` is QueueNotFoundError where the
// workflow was deleted.
struct TriggerRequest : RunRequest {
  TriggerRequest() : RunRequest(What::kTrigger) {}

  std::shared_ptr<const WorkflowRef> workflow;
  std::shared_ptr<queue::Worker> producer;
  Json input;
  std::string idempotency_key;  // Not empty.
  int priority = 5;
  std::optional<Duration> delay;
  std::optional<int> version;

  std::int64_t run_id = 0;        // The answer: the run that has the key.
  bool is_new = false;            // Whether this request has made it.
  std::int64_t own_batch_id = 0;  // Reserved beforehand; for the storage's own use.
};

// Begins an execution: raises the epoch and reads the run with all its steps.
//
// kDone: the run is Running under `epoch`. kStale: the lease is not current any more, or the run is
// finished; then `status` says so, and the rest of the answer is there too. kCancelled: it was
// cancelled meanwhile, and is Cancelled now. kPaused: a pause was asked for, and it is Paused now.
// With all but kDone the message needs nothing more. A Paused run whose message was handed out is
// resumed: its time has come.
struct StartRequest : RunRequest {
  StartRequest() : RunRequest(What::kStart) {}

  // Under which the message was handed out. 0: nobody holds it, and leases are not looked at. Where
  // such a run is not finished, a worker goes on with it at the time at which the message is
  // visible: now, where it had none.
  std::int64_t lease_token = 0;
  // The message's payload. A message of the workflow's queue that no trigger has stored becomes a
  // run by its first start.
  Json payload;
  // Of the code that executes it: a run without a version gets it, and one that has one keeps it.
  std::optional<int> code_version;

  // Answers, beside `epoch`.
  RunStatus status = RunStatus::kQueued;
  std::optional<int> version;
  Json input;
  std::optional<Json> output;
  std::optional<Json> failure;    // The run's error.
  std::int64_t created_at = 0;    // Microseconds since the epoch.
  std::int64_t parent_id = 0;     // 0: none.
  std::vector<StoredStep> steps;  // In the order of their positions.
};

// Records a step, in whatever status, in place of what was recorded of it before.
//
// kCancelled, kPaused: it is recorded all the same unless the run is Cancelled already, so that
// what was done is not done again after a resume or a retry; but the execution has to stop. kStale
// also where the step has a Success already that another epoch has recorded.
struct RecordRequest : RunRequest {
  RecordRequest() : RunRequest(What::kRecord) {}

  StoredStep step;
};

// Takes the oldest event of that name, and records it as the output of the step, which becomes a
// Success. Without such an event the step is recorded as it is (Running, with its `wake_at`), and
// `payload` is empty: then suspend, waiting for the event. Outcomes as for a record; with
// kCancelled and kPaused no event is taken.
struct ReceiveRequest : RunRequest {
  ReceiveRequest() : RunRequest(What::kReceive) {}

  std::string event;
  StoredStep step;

  std::optional<Json> payload;  // The answer.
};

// Triggers a run whose parent is `run`, and records the step (kind kChild, Running) with its id.
// Where the step has a child already that one is answered. When the child ends, the step gets the
// status, output and error of the child in the same transaction (a Cancelled one is an error with
// the code "Cancelled"), and where the parent waits for children it is woken.
struct ChildRequest : RunRequest {
  ChildRequest() : RunRequest(What::kChild) {}

  StoredStep step;
  std::shared_ptr<const WorkflowRef> workflow;  // Of the child.
  std::shared_ptr<queue::Worker> producer;
  Json input;
  int priority = 5;
  std::optional<Duration> delay;
  std::optional<int> version;

  std::int64_t child_id = 0;      // The answer.
  std::int64_t own_batch_id = 0;  // Reserved beforehand; for the storage's own use.
};

// Ends an execution whose run is to go on later. Its message is released, and the read that the
// execution was counted as is taken back. It becomes visible at `until`, or after `delay`, or where
// neither is given only by what it waits for: an event of one of these names, the end of a child,
// or a resume. What has happened already when this is carried out is not missed: then the run is
// visible at once. (A run that was woken for nothing has to suspend itself again.)
//
// With `is_pause` the run becomes Paused, and `reason` is kept as the run's error; it
// goes on at the time that is given, or when it is resumed, and events and children do not wake it.
// kPaused is answered where the run is Paused now, also because somebody else has asked for it.
// kCancelled where the run is Cancelling: it is Cancelled now, nothing else is to be done.
struct SuspendRequest : RunRequest {
  SuspendRequest() : RunRequest(What::kSuspend) {}

  std::vector<StoredStep> steps;  // To be recorded with it.
  std::optional<TimePoint> until;
  std::optional<Duration> delay;
  std::vector<std::string> waits_for_events;
  bool waits_for_children = false;
  bool is_pause = false;
  std::optional<Json> reason;
};

// Ends a run: kSuccess with an output, kError with an error, or kCancelled. The message goes to the
// archive. kCancelled: it was Cancelling, and is Cancelled now, whatever was asked for.
struct FinishRequest : RunRequest {
  FinishRequest() : RunRequest(What::kFinish) {}

  RunStatus status = RunStatus::kSuccess;
  std::optional<Json> output;
  std::optional<Json> failure;  // The run's error.
};

// Keeps an event for the run `run.id`, and wakes the run where it waits for an event of that name.
// Of the fields of all requests it needs the id alone. `error` is ValidationError where there is no
// such run, or it is finished. Where nobody knows whether its commit happened, it is not repeated.
struct SendEventRequest : RunRequest {
  SendEventRequest() : RunRequest(What::kSendEvent) {}

  std::string event;
  Json payload;
};

}  // namespace pgqrs::workflow

#endif  // PGQRS_WORKFLOW_REQUEST_H_
