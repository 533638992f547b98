// How runs end, whoever ends them, and what that does to the runs around them.
#ifndef PGQRS_WORKFLOW_ENDS_H_
#define PGQRS_WORKFLOW_ENDS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "driver/driver.h"
#include "queue/slice.h"
#include "workflow/run_message.h"
#include "workflow/run_rows.h"

namespace pgqrs::workflow {

// The error of a run as JSON.
std::string ErrorText(std::string_view message, std::string_view code);

struct End {
  RunStatus status = RunStatus::kCancelled;
  std::optional<std::string> output;
  std::optional<std::string> error;
};

// Of runs whose messages became dead letters, were archived by somebody who did not execute them,
// were deleted, or were purged.
End DeadLetterEnd(std::string_view reason);
End ArchivedEnd();
End DeletedEnd();
End PurgedEnd();

// Ends a locked run, and takes its message out of the hot set if it is there. Its parent's step
// gets the outcome; where it is Cancelled, what it has triggered is to be cancelled.
void EndRun(driver::Connection& connection, RunState& run, const End& end, Effects& effects);

// Makes a locked run, which is Running and executed by nobody, go on now.
void WakeRun(driver::Connection& connection, RunState& run, Effects& effects);

// Marks a run as Cancelling, so that it ends as soon as a worker has it. Answers whether it was
// neither finished nor Cancelling.
bool MarkCancelling(driver::Connection& connection, RunState& run, Effects& effects);

// What the queue does to messages of a workflow: the runs of these messages of a batch, which have
// left the hot set, end.
void EndRunsOfMessages(driver::Connection& connection, std::int64_t queue_id, std::int64_t batch_id,
                       queue::Mask messages, const End& end, Effects& effects);

// Dead letters came back: their runs are Queued again.
void RequeueRunsOfMessages(driver::Connection& connection, std::int64_t queue_id,
                           std::int64_t batch_id, queue::Mask messages, std::int64_t now);

// Makes a finished run Queued again, with its failed steps to be run anew.
void RequeueRun(driver::Connection& connection, RunState& run, std::int64_t now);

// Removes some of the runs of a queue that is being deleted. Answers whether there are more.
bool RemoveRunsOfQueue(driver::Connection& connection, std::int64_t queue_id, std::int64_t now);

// Removes a run with its steps and events, and gives the number of rows.
std::int64_t RemoveRun(driver::Connection& connection, std::int64_t run_id);

}  // namespace pgqrs::workflow

#endif  // PGQRS_WORKFLOW_ENDS_H_
