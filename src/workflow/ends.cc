#include "workflow/ends.h"

#include <utility>

#include "queue/rows.h"
#include "util/json_text.h"

namespace pgqrs::workflow {
namespace {

using driver::Value;
using queue::ToValue;
using sql::Statement;

// How many children one transaction marks, and how many rows one removes: some milliseconds of
// work.
constexpr std::int64_t kRowsPerStep = 500;

// Locks the runs of messages that are in `messages`.
template <typename F>
void ForEachRun(driver::Connection& connection, std::int64_t queue_id, std::int64_t batch_id,
                queue::Mask messages, F visit) {
  if (!IsWorkflow(connection, queue_id)) return;
  queue::ForEachPosition(messages, [&](int position) {
    if (auto run = LockRun(connection, queue::MessageId(batch_id, position))) visit(*run);
  });
}

void TellParent(driver::Connection& connection, const RunState& run, const End& end,
                Effects& effects) {
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
}

// Those that are left have their own end when they are asked for: a run cannot have been triggered
// by one that is finished.
void CancelChildren(driver::Connection& connection, std::int64_t parent_id, Effects& effects) {
  std::int64_t last = 0;
  for (;;) {
    const auto ids =
        Ids(connection, Statement::kUnfinishedChildren, {parent_id, last, kRowsPerStep});
    for (const auto id : ids) {
      if (auto child = LockRun(connection, id)) MarkCancelling(connection, *child, effects);
    }
    if (ids.empty()) return;
    last = ids.back();
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
  run.status = end.status;
  run.StopWaiting();
  run.finished_at = effects.now;
  UpdateRun(connection, run, effects.now);
  SetResult(connection, run.id, ToValue(end.output), ToValue(end.error));
  RunMessage(connection, run.queue_id, run.id).Archive(effects);
  TellParent(connection, run, end, effects);
  if (end.status == RunStatus::kCancelled) CancelChildren(connection, run.id, effects);
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
    rows += RemoveRun(connection, id);
    if (rows >= kRowsPerStep) break;
  }
  return !ids.empty();
}

}  // namespace pgqrs::workflow
