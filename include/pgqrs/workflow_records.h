// Plain records that describe workflows, their runs and their steps.
#ifndef PGQRS_WORKFLOW_RECORDS_H_
#define PGQRS_WORKFLOW_RECORDS_H_

#include <pgqrs/json.h>
#include <pgqrs/time.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pgqrs {

enum class RunStatus : std::uint8_t {
  kQueued = 0,      // Triggered; no worker has started it yet.
  kRunning = 1,     // A worker executes it, or it sleeps or waits and holds nothing meanwhile.
  kPaused = 2,      // Until it is resumed, or until a time.
  kSuccess = 3,     // It has an output.
  kError = 4,       // It has failed for good, and has an error.
  kCancelling = 5,  // It was cancelled while a worker executes it, and ends at the next boundary.
  kCancelled = 6,
};

// "Queued", "Running", "Paused", "Success", "Error", "Cancelling", "Cancelled".
std::string_view ToString(RunStatus status);

// Whether nothing happens to such a run any more, unless it is retried.
constexpr bool IsFinished(RunStatus status) {
  return status == RunStatus::kSuccess || status == RunStatus::kError ||
         status == RunStatus::kCancelled;
}

enum class StepStatus : std::uint8_t {
  kRunning = 0,  // Begun; or it waits for a time, an event, a child run or its next try.
  kSuccess = 3,  // It has an output and never runs again.
  kError = 4,    // Its last try failed. With a `retry_at` another one follows.
};

// "Running", "Success", "Error".
std::string_view ToString(StepStatus status);

enum class StepKind : std::uint8_t {
  kStep = 0,
  kTransaction = 1,
  kSleep = 2,
  kNow = 3,
  kUuid = 4,
  kEvent = 5,
  kChild = 6,
  kParallel = 7,
};

// "Step", "Transaction", "Sleep", "Now", "Uuid", "Event", "Child", "Parallel".
std::string_view ToString(StepKind kind);

// What a request of an execution was answered with.
enum class RunOutcome : std::uint8_t {
  kDone = 0,
  // Another worker has started the run since, or the run is gone or finished. Nothing was changed;
  // the execution has to stop, and leaves the message alone.
  kStale = 1,
  // The run is Cancelling or Cancelled. The execution has to stop, and finishes a run that is
  // Cancelling as Cancelled.
  kCancelled = 2,
  // Somebody has asked for a pause. The execution has to stop, and pauses the run.
  kPaused = 3,
};

struct WorkflowInfo {
  std::int64_t id = 0;  // That of its queue, which has the same name.
  std::string name;
  std::int64_t queue_id = 0;
  TimePoint created_at;
};

// A run of a workflow. Its id is the id of the message that triggered it.
struct RunInfo {
  std::int64_t id = 0;
  std::int64_t workflow_id = 0;
  std::string workflow_name;
  RunStatus status = RunStatus::kQueued;
  std::optional<int> version;   // Of the workflow's code; none until a worker has started it.
  std::string idempotency_key;  // Empty: none.
  int priority = 0;
  std::int64_t epoch = 0;                 // How often it was started.
  std::optional<std::int64_t> parent_id;  // The run whose step it is.
  bool pause_requested = false;           // It pauses at the next boundary.
  Json input;
  std::optional<Json> output;
  std::optional<Json> error;  // {"message": …, "code": …, "step": …, "is_transient": …}
  TimePoint created_at;
  TimePoint updated_at;
  std::optional<TimePoint> started_at;
  std::optional<TimePoint> finished_at;
};

struct StepInfo {
  std::int64_t id = 0;
  std::int64_t run_id = 0;
  std::string name;
  int ordinal = 0;   // Which call of that name it is in the run, from 0 on.
  int position = 0;  // Which call of all it is in the run, from 0 on.
  StepKind kind = StepKind::kStep;
  StepStatus status = StepStatus::kRunning;
  int attempts = 0;
  std::optional<Json> input;
  std::optional<Json> output;
  std::optional<Json> error;
  std::optional<TimePoint> retry_at;     // When the next try may begin.
  std::optional<TimePoint> wake_at;      // When a sleep or the wait for an event ends.
  std::optional<std::int64_t> child_id;  // The run that the step has triggered.
  TimePoint created_at;
  TimePoint updated_at;
};

enum class ListOrder : std::uint8_t { kOldestFirst, kNewestFirst };

// Which runs a listing gives: those that meet all that is set. One page, in the order of ids. There
// is an index for a key, for a parent, for a workflow, for statuses that are all of unfinished
// runs, and for Error alone; one of them is used, in this order but for the workflow, which is the
// last. The times are looked at run by run.
struct RunFilter {
  std::string workflow = {};  // The name. Empty: all.
  std::vector<RunStatus> statuses = {};
  std::string idempotency_key = {};
  std::optional<std::int64_t> parent_id = {};
  std::optional<TimePoint> created_from = {};  // This time or later.
  std::optional<TimePoint> created_to = {};    // Before this time.
  ListOrder order = ListOrder::kOldestFirst;
  std::int64_t after_id = 0;  // The last run that is known; 0: from the beginning.
  int limit = 100;            // From 1 to 10,000, else ValidationError.
};

// Which steps a listing gives: those that meet all that is set. One page, in the order of ids.
struct StepFilter {
  std::optional<std::int64_t> run_id = {};
  std::string name = {};
  std::vector<StepStatus> statuses = {};
  std::optional<TimePoint> created_from = {};
  std::optional<TimePoint> created_to = {};
  std::int64_t after_id = 0;  // Of the last step that is known.
  int limit = 1000;           // From 1 to 10,000, else ValidationError.
};

// Which finished runs of a workflow may stay. Those that are not finished always do.
struct RunRetention {
  std::optional<Duration> max_age = {};        // Since they finished.
  std::optional<std::int64_t> max_count = {};  // The last ones that finished.
};

}  // namespace pgqrs

#endif  // PGQRS_WORKFLOW_RECORDS_H_
