#include "workflow/reads.h"

#include <pgqrs/error.h>

#include <algorithm>
#include <limits>
#include <string>
#include <utility>

#include "queue/rows.h"
#include "workflow/run_rows.h"

namespace pgqrs::workflow {
namespace {

using driver::Value;
using queue::FromMicros;
using sql::Statement;

constexpr int kMaxLimit = 10'000;

std::optional<TimePoint> TimeOf(const driver::Row& row, int column) {
  return row.IsNull(column) ? std::nullopt : std::optional(FromMicros(row.Int(column)));
}

WorkflowInfo ReadWorkflow(const driver::Row& row) {
  return {.id = row.Int(0),
          .name = std::string(row.Text(1)),
          .queue_id = row.Int(0),
          .created_at = FromMicros(row.Int(2))};
}

RunInfo ReadRun(const driver::Row& row) {
  RunInfo run;
  run.id = row.Int(0);
  run.workflow_id = row.Int(1);
  run.workflow_name = row.Text(2);
  run.status = static_cast<RunStatus>(row.Int(3));
  if (!row.IsNull(4)) run.version = static_cast<int>(row.Int(4));
  run.idempotency_key = row.IsNull(5) ? std::string_view() : row.Text(5);
  run.priority = static_cast<int>(row.Int(6));
  run.epoch = row.Int(7);
  run.parent_id = row.OptionalInt(8);
  run.pause_requested = row.Int(9) != 0;
  run.input = Json::FromTrusted(std::string(row.Text(10)));
  run.output = ToJson(row, 11);
  run.error = ToJson(row, 12);
  run.created_at = FromMicros(row.Int(13));
  run.updated_at = FromMicros(row.Int(14));
  run.started_at = TimeOf(row, 15);
  run.finished_at = TimeOf(row, 16);
  return run;
}

StepInfo ReadStepInfo(const driver::Row& row) {
  StepInfo step;
  step.id = row.Int(0);
  step.run_id = row.Int(1);
  step.name = row.Text(2);
  step.ordinal = static_cast<int>(row.Int(3));
  step.position = static_cast<int>(row.Int(4));
  step.kind = static_cast<StepKind>(row.Int(5));
  step.status = static_cast<StepStatus>(row.Int(6));
  step.attempts = static_cast<int>(row.Int(7));
  step.input = ToJson(row, 8);
  step.output = ToJson(row, 9);
  step.error = ToJson(row, 10);
  step.retry_at = TimeOf(row, 11);
  step.wake_at = TimeOf(row, 12);
  step.child_id = row.OptionalInt(13);
  step.created_at = FromMicros(row.Int(14));
  step.updated_at = FromMicros(row.Int(15));
  return step;
}

template <typename T>
Value MaskOf(const std::vector<T>& statuses) {
  std::int64_t mask = statuses.empty() ? -1 : 0;
  for (const auto status : statuses) mask |= std::int64_t{1} << static_cast<int>(status);
  return mask;
}

Value TextOrNull(const std::string& text) {
  return text.empty() ? Value() : Value(std::string_view(text));
}

Value TimeOrNull(const std::optional<TimePoint>& time) {
  return time ? Value(queue::ToMicros(*time)) : Value();
}

// The last moment before a time.
Value BeforeOrNull(const std::optional<TimePoint>& time) {
  return time ? Value(queue::ToMicros(*time) - 1) : Value();
}

void CheckLimit(int limit) {
  if (limit < 1 || limit > kMaxLimit) {
    throw ValidationError("limit: must be from 1 to 10,000, and is " + std::to_string(limit));
  }
}

std::string ArrayOf(std::span<const std::int64_t> ids) {
  std::string array;
  for (const auto id : ids) array += (array.empty() ? "[" : ",") + std::to_string(id);
  return array.empty() ? "[]" : array + "]";
}

std::vector<RunInfo> FindRuns(driver::Connection& connection, std::span<const std::int64_t> ids) {
  std::vector<RunInfo> runs;
  connection.Run(Statement::kFindRuns, {std::string_view(ArrayOf(ids))},
                 [&](const driver::Row& row) {
                   runs.push_back(ReadRun(row));
                   return true;
                 });
  return runs;
}

// The workflow's queue: null for all, nothing where there is no such workflow.
std::optional<Value> QueueOf(driver::Connection& connection, const RunFilter& filter) {
  if (filter.workflow.empty()) return Value();
  const auto workflow = FindWorkflow(connection, filter.workflow);
  return workflow ? std::optional<Value>(workflow->queue_id) : std::nullopt;
}

bool AreAll(const std::vector<RunStatus>& statuses, bool (*is_one)(RunStatus)) {
  return !statuses.empty() && std::all_of(statuses.begin(), statuses.end(), is_one);
}

// The one whose index leaves out the most.
Statement ListOf(const RunFilter& filter) {
  const bool is_down = filter.order == ListOrder::kNewestFirst;
  const auto choose = [&](Statement up, Statement down) { return is_down ? down : up; };
  if (filter.parent_id) {
    return choose(Statement::kListRunsOfParent, Statement::kListRunsOfParentDown);
  }
  if (AreAll(filter.statuses, [](RunStatus status) { return !IsFinished(status); })) {
    return choose(Statement::kListUnfinishedRuns, Statement::kListUnfinishedRunsDown);
  }
  if (AreAll(filter.statuses, [](RunStatus status) { return status == RunStatus::kError; })) {
    return choose(Statement::kListFailedRuns, Statement::kListFailedRunsDown);
  }
  return filter.workflow.empty()
             ? choose(Statement::kListRuns, Statement::kListRunsDown)
             : choose(Statement::kListRunsOfQueue, Statement::kListRunsOfQueueDown);
}

// Few, which are put in order here.
std::vector<std::int64_t> IdsByKey(driver::Connection& connection, const RunFilter& filter,
                                   const Value& queue_id) {
  auto ids = Ids(connection, Statement::kFindRunsByKey,
                 {std::string_view(filter.idempotency_key), queue_id, MaskOf(filter.statuses),
                  queue::ToValue(filter.parent_id), TimeOrNull(filter.created_from),
                  BeforeOrNull(filter.created_to)});
  std::sort(ids.begin(), ids.end());
  const bool is_down = filter.order == ListOrder::kNewestFirst;
  if (is_down) std::reverse(ids.begin(), ids.end());
  const auto after = filter.after_id;
  std::erase_if(
      ids, [&](std::int64_t id) { return after != 0 && (is_down ? id >= after : id <= after); });
  ids.resize(std::min(ids.size(), static_cast<std::size_t>(filter.limit)));
  return ids;
}

}  // namespace

std::optional<WorkflowInfo> FindWorkflow(driver::Connection& connection, std::string_view name) {
  std::optional<WorkflowInfo> found;
  connection.Run(Statement::kFindWorkflow, {name}, [&](const driver::Row& row) {
    found = ReadWorkflow(row);
    return true;
  });
  return found;
}

std::vector<WorkflowInfo> ListWorkflows(driver::Connection& connection) {
  std::vector<WorkflowInfo> workflows;
  connection.Run(Statement::kListWorkflows, {}, [&](const driver::Row& row) {
    workflows.push_back(ReadWorkflow(row));
    return true;
  });
  return workflows;
}

std::optional<RunInfo> FindRun(driver::Connection& connection, std::int64_t run_id) {
  auto found = FindRuns(connection, std::span(&run_id, 1));
  return found.empty() ? std::nullopt : std::optional(std::move(found.front()));
}

RunInfo GetRun(driver::Connection& connection, std::int64_t run_id) {
  auto run = FindRun(connection, run_id);
  if (!run) throw ValidationError("run " + std::to_string(run_id) + " does not exist");
  return *std::move(run);
}

std::vector<std::int64_t> EndedRuns(driver::Connection& connection,
                                    std::span<const std::int64_t> run_ids) {
  constexpr std::size_t kIdsOfStatement = 1000;
  std::vector<std::int64_t> ended;
  for (; !run_ids.empty(); run_ids = run_ids.subspan(std::min(kIdsOfStatement, run_ids.size()))) {
    const auto some_ids = run_ids.first(std::min(kIdsOfStatement, run_ids.size()));
    const auto some = Ids(connection, Statement::kEndedRuns, {std::string_view(ArrayOf(some_ids))});
    ended.insert(ended.end(), some.begin(), some.end());
  }
  return ended;
}

std::vector<std::int64_t> ListRunIds(driver::Connection& connection, const RunFilter& filter) {
  CheckLimit(filter.limit);
  const auto queue_id = QueueOf(connection, filter);
  if (!queue_id) return {};
  if (!filter.idempotency_key.empty()) return IdsByKey(connection, filter, *queue_id);
  const bool is_first = filter.order == ListOrder::kNewestFirst && filter.after_id == 0;
  return Ids(connection, ListOf(filter),
             {*queue_id, MaskOf(filter.statuses), queue::ToValue(filter.parent_id),
              TimeOrNull(filter.created_from), BeforeOrNull(filter.created_to),
              is_first ? std::numeric_limits<std::int64_t>::max() : filter.after_id,
              std::int64_t{filter.limit}});
}

std::vector<RunInfo> ListRuns(driver::Connection& connection, const RunFilter& filter) {
  auto runs = FindRuns(connection, ListRunIds(connection, filter));
  const bool is_down = filter.order == ListOrder::kNewestFirst;
  std::sort(runs.begin(), runs.end(), [&](const RunInfo& a, const RunInfo& b) {
    return is_down ? a.id > b.id : a.id < b.id;
  });
  return runs;
}

std::int64_t CountRuns(driver::Connection& connection, const RunFilter& filter) {
  const auto queue_id = QueueOf(connection, filter);
  std::int64_t count = 0;
  if (!queue_id) return count;
  connection.Run(Statement::kCountRuns,
                 {*queue_id, MaskOf(filter.statuses), TextOrNull(filter.idempotency_key),
                  queue::ToValue(filter.parent_id), TimeOrNull(filter.created_from),
                  BeforeOrNull(filter.created_to)},
                 [&](const driver::Row& row) {
                   count = row.Int(0);
                   return true;
                 });
  return count;
}

std::vector<StepInfo> ListSteps(driver::Connection& connection, const StepFilter& filter) {
  CheckLimit(filter.limit);
  std::vector<StepInfo> steps;
  connection.Run(filter.run_id ? Statement::kListStepsOfRun : Statement::kListSteps,
                 {queue::ToValue(filter.run_id), TextOrNull(filter.name), MaskOf(filter.statuses),
                  TimeOrNull(filter.created_from), BeforeOrNull(filter.created_to), filter.after_id,
                  std::int64_t{filter.limit}, queue::ToMicros(connection.Now())},
                 [&](const driver::Row& row) {
                   steps.push_back(ReadStepInfo(row));
                   return true;
                 });
  return steps;
}

}  // namespace pgqrs::workflow
