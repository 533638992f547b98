#include "workflow/ends.h"

#include <limits>
#include <utility>

#include "queue/rows.h"
#include "util/json_text.h"

namespace pgqrs::workflow {
namespace {

using driver::Value;
using queue::ToValue;
using sql::Statement;

// How many rows one transaction removes: some milliseconds of work.
constexpr std::int64_t kRowsPerStep = 500;

// A run may have more children than one transaction should cancel. The one in which it is Cancelled
// marks the first of them as Cancelling, and the end of each that was marked marks the next one: so
// all of them are reached, whoever dies meanwhile.
constexpr std::int64_t kMarkedChildren = 64;

// Locks the runs of messages that are in `messages`.
template <typename F>
void ForEachRun(driver::Connection& connection, std::int64_t queue_id, std::int64_t batch_id,
                queue::Mask messages, F visit) {
  if (!IsWorkflow(connection, queue_id)) return;
  queue::ForEachPosition(messages, [&](int position) {
    if (auto run = LockRun(connection, queue::MessageId(batch_id, position))) visit(*run);
  });
}

// Marks the first `limit` children behind `after` that are among the next `of_next` unfinished ones
// and not Cancelling yet. Gives how many.
std::int64_t MarkChildren(driver::Connection& connection, std::int64_t parent_id,
                          std::int64_t after, std::int64_t of_next, std::int64_t limit,
                          Effects& effects) {
  const auto ids =
      Ids(connection, Statement::kChildrenToCancel, {parent_id, after, of_next, limit});
  for (const auto id : ids) {
    if (auto child = LockRun(connection, id)) MarkCancelling(connection, *child, effects);
  }
  return static_cast<std::int64_t>(ids.size());
}

// `was_cancelling`: it ends because its parent is cancelled, or as if it did.
void TellParent(driver::Connection& connection, const RunState& run, const End& end,
                bool was_cancelling, Effects& effects) {
  if (!run.parent_id) return;
  auto parent = LockRun(connection, *run.parent_id);
  if (!parent) return;
  const bool has_succeeded = end.status == RunStatus::kSuccess;
  auto error = end.error;
  if (!has_succeeded && (end.status == RunStatus::kCancelled || !error)) {
    error = ErrorText("run " + std::to_string(run.id) + " was cancelled", "Cancelled");
  }
  const auto status = has_succeeded ? StepStatus::kSuccess : StepStatus::kError;
  const bool has_waited =
      HasRow(connection, Statement::kEndChildStep,
             {parent->id, std::string_view(run.parent_step), run.parent_ordinal,
              static_cast<std::int64_t>(status), parent->epoch, ToValue(end.output),
              has_succeeded ? Value() : ToValue(error), effects.now, run.id});
  if (has_waited && parent->is_suspended() && parent->waits_for_children) {
    WakeRun(connection, *parent, effects);
  }
  if (was_cancelling && parent->status == RunStatus::kCancelled && !effects.cancels_families) {
    MarkChildren(connection, parent->id, run.id, kMarkedChildren, 1, effects);
  }
}

}  // namespace

std::string ErrorText(std::string_view message, std::string_view code) {
  return R"({"message":)" + util::QuoteJson(message).value_or(R"("")") + R"(,"code":)" +
         util::QuoteJson(code).value_or(R"("")") + R"(,"is_transient":false})";
}

End DeadLetterEnd(std::string_view reason) {
  return {.status = RunStatus::kError, .output = {}, .error = ErrorText(reason, "DeadLetter")};
}

End ArchivedEnd() {
  return {.status = RunStatus::kCancelled,
          .output = {},
          .error = ErrorText("the message of the run was archived before the run had ended",
                             "Archived")};
}

End DeletedEnd() {
  return {.status = RunStatus::kCancelled,
          .output = {},
          .error = ErrorText("the message of the run was deleted", "Deleted")};
}

End PurgedEnd() {
  return {.status = RunStatus::kCancelled,
          .output = {},
          .error = ErrorText("the queue of the workflow was purged", "Purged")};
}

void EndRun(driver::Connection& connection, RunState& run, const End& end, Effects& effects) {
  const bool was_cancelling =
      run.status == RunStatus::kCancelling || end.status == RunStatus::kCancelled;
  run.status = end.status;
  run.StopWaiting();
  run.finished_at = effects.now;
  UpdateRun(connection, run, effects.now);
  // One that failed has an error, by which it is found.
  const auto error = end.status == RunStatus::kError && !end.error
                         ? std::optional(ErrorText("the run failed", ""))
                         : end.error;
  SetResult(connection, run.id, ToValue(end.output), ToValue(error));
  RunMessage(connection, run.queue_id, run.id).Archive(effects);
  TellParent(connection, run, end, was_cancelling, effects);
  if (end.status == RunStatus::kCancelled) {
    const auto marked = effects.cancels_families ? 1 : kMarkedChildren;
    MarkChildren(connection, run.id, 0, marked, marked, effects);
  }
  effects.ended.push_back(run.id);
}

void WakeRun(driver::Connection& connection, RunState& run, Effects& effects) {
  run.waits_for_events.reset();
  run.waits_for_children = false;
  UpdateRun(connection, run, effects.now);
  RunMessage(connection, run.queue_id, run.id).Wake(effects);
}

bool MarkCancelling(driver::Connection& connection, RunState& run, Effects& effects) {
  if (run.is_finished() || run.status == RunStatus::kCancelling) return false;
  run.status = RunStatus::kCancelling;
  run.pause_requested = false;
  UpdateRun(connection, run, effects.now);
  RunMessage(connection, run.queue_id, run.id).Wake(effects);
  return true;
}

void EndRunsOfMessages(driver::Connection& connection, std::int64_t queue_id, std::int64_t batch_id,
                       queue::Mask messages, const End& end, Effects& effects) {
  ForEachRun(connection, queue_id, batch_id, messages, [&](RunState& run) {
    if (!run.is_finished()) EndRun(connection, run, end, effects);
  });
}

void RequeueRun(driver::Connection& connection, RunState& run, std::int64_t now) {
  run.status = RunStatus::kQueued;
  run.StopWaiting();
  run.finished_at.reset();
  UpdateRun(connection, run, now);
  SetResult(connection, run.id, Value(), Value());
  connection.Run(Statement::kResetFailedSteps, {run.id, now});
}

void RequeueRunsOfMessages(driver::Connection& connection, std::int64_t queue_id,
                           std::int64_t batch_id, queue::Mask messages, std::int64_t now) {
  ForEachRun(connection, queue_id, batch_id, messages, [&](RunState& run) {
    if (run.is_finished()) RequeueRun(connection, run, now);
  });
}

std::int64_t RemoveRun(driver::Connection& connection, std::int64_t run_id) {
  const auto steps = Ids(connection, Statement::kDeleteStepsOfRun, {run_id});
  connection.Run(Statement::kDeleteEventsOfRun, {run_id});
  connection.Run(Statement::kDeleteRun, {run_id});
  return static_cast<std::int64_t>(steps.size()) + 1;
}

bool RemoveRunsOfQueue(driver::Connection& connection, std::int64_t queue_id, std::int64_t now) {
  Effects effects;
  effects.now = now;
  std::int64_t rows = 0;
  const auto ids = Ids(connection, Statement::kRunsOfQueue, {queue_id, kRowsPerStep});
  for (const auto id : ids) {
    auto run = LockRun(connection, id);
    if (run && !run->is_finished()) {
      EndRun(connection, *run, {.status = RunStatus::kCancelled, .output = {}, .error = {}},
             effects);
    }
    // Without it nobody would mark the rest of its children.
    if (run && run->status == RunStatus::kCancelled) {
      constexpr auto kAll = std::numeric_limits<std::int32_t>::max();
      rows += MarkChildren(connection, id, 0, kAll, kRowsPerStep, effects);
      if (rows >= kRowsPerStep) break;
    }
    rows += RemoveRun(connection, id);
    if (rows >= kRowsPerStep) break;
  }
  return !ids.empty();
}

}  // namespace pgqrs::workflow
