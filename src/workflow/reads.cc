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

// The parameters that choose runs, without the page; nothing where no run can match.
std::optional<std::vector<Value>> Choice(driver::Connection& connection, const RunFilter& filter) {
  Value queue_id;
  if (!filter.workflow.empty()) {
    const auto workflow = FindWorkflow(connection, filter.workflow);
    if (!workflow) return std::nullopt;
    queue_id = workflow->queue_id;
  }
  return std::vector<Value>{queue_id,
                            MaskOf(filter.statuses),
                            TextOrNull(filter.idempotency_key),
                            queue::ToValue(filter.parent_id),
                            TimeOrNull(filter.created_from),
                            BeforeOrNull(filter.created_to)};
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
  std::optional<RunInfo> found;
  connection.Run(Statement::kFindRun, {run_id}, [&](const driver::Row& row) {
    found = ReadRun(row);
    return true;
  });
  return found;
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
    std::string array;
    for (const auto id : run_ids.first(std::min(kIdsOfStatement, run_ids.size()))) {
      array += (array.empty() ? '[' : ',') + std::to_string(id);
    }
    const auto some = Ids(connection, Statement::kEndedRuns, {std::string_view(array += ']')});
    ended.insert(ended.end(), some.begin(), some.end());
  }
  return ended;
}

std::vector<RunInfo> ListRuns(driver::Connection& connection, const RunFilter& filter) {
  CheckLimit(filter.limit);
  std::vector<RunInfo> runs;
  auto parameters = Choice(connection, filter);
  if (!parameters) return runs;
  const bool is_down = filter.order == ListOrder::kNewestFirst;
  const bool is_first = is_down && filter.after_id == 0;
  parameters->emplace_back(is_first ? std::numeric_limits<std::int64_t>::max() : filter.after_id);
  parameters->emplace_back(std::int64_t{filter.limit});
  connection.Run(is_down ? Statement::kListRunsDown : Statement::kListRuns, *parameters,
                 [&](const driver::Row& row) {
                   runs.push_back(ReadRun(row));
                   return true;
                 });
  return runs;
}

std::int64_t CountRuns(driver::Connection& connection, const RunFilter& filter) {
  const auto parameters = Choice(connection, filter);
  std::int64_t count = 0;
  if (!parameters) return count;
  connection.Run(Statement::kCountRuns, *parameters, [&](const driver::Row& row) {
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
                  std::int64_t{filter.limit}},
                 [&](const driver::Row& row) {
                   steps.push_back(ReadStepInfo(row));
                   return true;
                 });
  return steps;
}

}  // namespace pgqrs::workflow
