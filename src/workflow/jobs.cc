#include "workflow/jobs.h"

#include <pgqrs/error.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "queue/rows.h"
#include "workflow/ends.h"
#include "workflow/reads.h"
#include "workflow/run_message.h"
#include "workflow/run_rows.h"

namespace pgqrs::workflow {
namespace {

using driver::Value;
using sql::Statement;

// How many runs, or rows, one step works on: some milliseconds of work.
constexpr std::int64_t kRemovedRunsOfStep = 200;
constexpr std::int64_t kRunsOfStep = 64;  // Where each takes some statements.
constexpr std::int64_t kRowsOfStep = 1000;

// Whether the filter gives runs of that status.
bool HasStatus(const RunFilter& filter, RunStatus status) {
  const auto& asked = filter.statuses;
  return asked.empty() || std::find(asked.begin(), asked.end(), status) != asked.end();
}

std::string Named(std::int64_t run_id) { return "run " + std::to_string(run_id); }

Effects Begin(driver::Connection& connection) {
  Effects effects;
  effects.now = queue::ToMicros(connection.Now());
  return effects;
}

RunState RequireRun(driver::Connection& connection, std::int64_t run_id) {
  auto run = LockRun(connection, run_id);
  if (!run) throw ValidationError(Named(run_id) + " does not exist");
  return *std::move(run);
}

[[noreturn]] void ThrowStatus(const RunState& run, std::string_view cannot) {
  throw ValidationError(Named(run.id) + " is " + std::string(ToString(run.status)) +
                        ", and cannot be " + std::string(cannot));
}

}  // namespace

WorkflowInfo EnsureWorkflow(driver::Connection& connection, std::string_view name,
                            queue::IfMissing if_missing) {
  if (auto found = FindWorkflow(connection, name)) {
    if (if_missing == queue::IfMissing::kCreateStrictly) {
      throw ValidationError("workflow \"" + std::string(name) + "\" exists already");
    }
    return *std::move(found);
  }
  if (if_missing == queue::IfMissing::kFail) {
    throw QueueNotFoundError("workflow \"" + std::string(name) + "\" does not exist");
  }
  const auto queue = queue::GetQueue(connection, name, queue::IfMissing::kCreate);
  connection.Run(Statement::kInsertWorkflow, {queue.id, queue::ToMicros(connection.Now())});
  auto made = FindWorkflow(connection, name);
  if (!made) {
    throw ValidationError("workflow \"" + std::string(name) + "\" was deleted in this moment");
  }
  return *std::move(made);
}

bool Cancellation::Step(driver::Connection& connection) {
  if (!std::exchange(has_begun_, true) && !filter_) asked_ = {RequireRun(connection, run_id_).id};
  auto effects = Begin(connection);
  effects.cancels_families = true;
  std::int64_t left = kRunsOfStep;
  while (left > 0) {
    if (!families_.empty()) {
      left -= 1 + CancelChildren(connection, left, effects);
      continue;
    }
    if (asked_.empty() && filter_) FindSome(connection);
    if (asked_.empty()) return false;
    auto run = LockRun(connection, asked_.back());
    asked_.pop_back();
    --left;
    if (run && IsAskedFor(*run)) cancelled_ += Cancel(connection, *run, effects) ? 1 : 0;
  }
  return true;
}

// It may have changed since it was found.
bool Cancellation::IsAskedFor(const RunState& run) const {
  if (!filter_) return true;
  return !run.is_finished() && HasStatus(*filter_, run.status);
}

bool Cancellation::Cancel(driver::Connection& connection, RunState& run, Effects& effects) {
  const bool is_new = !run.is_finished() && run.status != RunStatus::kCancelling;
  if (!run.is_finished() && run.start_token) {
    MarkCancelling(connection, run, effects);
  } else if (!run.is_finished()) {
    EndRun(connection, run, {.status = RunStatus::kCancelled, .output = {}, .error = {}}, effects);
  }
  // From here on it triggers none.
  families_.push_back({.parent_id = run.id});
  return is_new;
}

// Of the innermost family some; gives how many. All are locked before one ends, which locks their
// parent: so do those that end by themselves.
std::int64_t Cancellation::CancelChildren(driver::Connection& connection, std::int64_t limit,
                                          Effects& effects) {
  auto& family = families_.back();
  const auto ids =
      Ids(connection, Statement::kUnfinishedChildren, {family.parent_id, family.last_child, limit});
  const bool is_all = static_cast<std::int64_t>(ids.size()) < limit;
  if (is_all) {
    families_.pop_back();
  } else {
    family.last_child = ids.back();
  }
  std::vector<RunState> children;
  for (const auto id : ids) {
    if (auto child = LockRun(connection, id); child && !child->is_finished()) {
      children.push_back(*std::move(child));
    }
  }
  for (auto& child : children) {
    // Should this be the last step that happens, the last one leads on to the others.
    effects.cancels_families = &child != &children.back();
    Cancel(connection, child, effects);
  }
  effects.cancels_families = true;
  return static_cast<std::int64_t>(ids.size());
}

void Cancellation::FindSome(driver::Connection& connection) {
  auto page = *filter_;
  page.statuses.clear();
  for (const auto status :
       {RunStatus::kQueued, RunStatus::kRunning, RunStatus::kPaused, RunStatus::kCancelling}) {
    if (HasStatus(*filter_, status)) page.statuses.push_back(status);
  }
  if (page.statuses.empty()) return;  // None is unfinished.
  page.order = ListOrder::kOldestFirst;
  page.after_id = last_found_;
  page.limit = kRunsOfStep;
  asked_ = ListRunIds(connection, page);
  if (!asked_.empty()) last_found_ = asked_.back();
}

void PauseRun(driver::Connection& connection, std::int64_t run_id) {
  auto effects = Begin(connection);
  auto run = RequireRun(connection, run_id);
  if (run.status == RunStatus::kPaused) {
    // It may have paused itself until some time.
    RunMessage(connection, run.queue_id, run.id).Release(kNever, true, effects);
  }
  if (run.status == RunStatus::kPaused || run.pause_requested) return;
  if (run.is_finished() || run.status == RunStatus::kCancelling) ThrowStatus(run, "paused");
  if (run.start_token) {
    run.pause_requested = true;
    UpdateRun(connection, run, effects.now);
    return;
  }
  run.StopWaiting();
  run.status = RunStatus::kPaused;
  UpdateRun(connection, run, effects.now);
  // Who has its message, and has not started it, does not.
  RunMessage(connection, run.queue_id, run.id).Release(kNever, true, effects);
}

void ResumeRun(driver::Connection& connection, std::int64_t run_id) {
  auto effects = Begin(connection);
  auto run = RequireRun(connection, run_id);
  if (run.is_finished() || run.status == RunStatus::kCancelling) ThrowStatus(run, "resumed");
  if (run.pause_requested) {
    run.pause_requested = false;
    UpdateRun(connection, run, effects.now);
    return;
  }
  if (run.status != RunStatus::kPaused) return;
  run.StopWaiting();
  run.status = run.started_at ? RunStatus::kRunning : RunStatus::kQueued;
  UpdateRun(connection, run, effects.now);
  SetResult(connection, run.id, Value(), Value());
  RunMessage(connection, run.queue_id, run.id).Wake(effects);
}

void RetryRun(driver::Connection& connection, std::int64_t run_id) {
  auto effects = Begin(connection);
  auto run = RequireRun(connection, run_id);
  if (run.status != RunStatus::kError && run.status != RunStatus::kCancelled) {
    ThrowStatus(run, "retried");
  }
  // Its end would fail the run that has just begun anew.
  const auto child = Ids(connection, Statement::kCancellingChild, {run_id});
  if (!child.empty()) {
    throw ValidationError(Named(run_id) + " cannot be retried yet: " + Named(child.front()) +
                          ", which it has triggered, is Cancelling and has not ended");
  }
  const auto texts = FindTexts(connection, run_id);
  RequeueRun(connection, run, effects.now);
  RunMessage(connection, run.queue_id, run.id).Restore(texts->input, texts->priority, effects);
}

std::int64_t ForkRun(driver::Connection& connection, const Fork& fork) {
  auto effects = Begin(connection);
  const auto run = RequireRun(connection, fork.run_id);
  if (!fork.step.empty() && !FindStep(connection, fork.run_id, fork.step, fork.ordinal)) {
    throw ValidationError("step: " + Named(fork.run_id) + " has no step \"" + fork.step +
                          "\" with ordinal " + std::to_string(fork.ordinal));
  }
  const auto texts = FindTexts(connection, fork.run_id);
  NewRun made;
  made.id = queue::MessageId(ReserveBatchId(connection), 0);
  made.queue_id = run.queue_id;
  made.version = fork.version ? ToOptional(fork.version) : run.version;
  made.priority = texts->priority;
  made.input = texts->input;
  InsertRun(connection, made, effects.now);
  connection.Run(Statement::kCopySteps,
                 {fork.run_id, made.id, fork.step, std::int64_t{fork.ordinal}, effects.now});
  InsertMessage(connection, queue::BatchOf(made.id), made.queue_id, made.priority, std::nullopt,
                fork.producer ? fork.producer->id.load() : 0, made.input, effects);
  return made.id;
}

bool RunRetentionWork::Step(driver::Connection& connection) {
  if (!std::exchange(has_begun_, true)) FindCut(connection);
  std::int64_t rows = 0;
  const auto ids = Ids(connection, Statement::kLockFinishedRuns,
                       {workflow_id_, cut_time_, cut_id_, kRemovedRunsOfStep});
  for (const auto id : ids) {
    rows += RemoveRun(connection, id);
    ++removed_;
    if (rows >= kRowsOfStep) return true;
  }
  return static_cast<std::int64_t>(ids.size()) == kRemovedRunsOfStep;
}

// Of both limits the one that removes more.
void RunRetentionWork::FindCut(driver::Connection& connection) {
  cut_time_ = 0;
  cut_id_ = 0;
  if (policy_.max_age) {
    cut_time_ = queue::ToMicros(connection.Now() - *policy_.max_age);
  }
  if (!policy_.max_count) return;
  connection.Run(Statement::kNthFinishedRun, {workflow_id_, *policy_.max_count},
                 [&](const driver::Row& row) {
                   if (row.Int(0) < cut_time_) return true;
                   cut_time_ = row.Int(0);
                   cut_id_ = row.Int(1);
                   return true;
                 });
}

}  // namespace pgqrs::workflow
