#include "workflow/run_rows.h"

#include <algorithm>
#include <utility>

#include "queue/rows.h"

namespace pgqrs::workflow {
namespace {

using driver::Value;
using queue::ToValue;
using sql::Statement;

std::optional<std::string> OptionalText(const driver::Row& row, int column) {
  return row.IsNull(column) ? std::nullopt : std::optional(std::string(row.Text(column)));
}

Value ToTime(const std::optional<TimePoint>& time) {
  return time ? Value(queue::ToMicros(*time)) : Value();
}

std::optional<TimePoint> ReadTime(const driver::Row& row, int column) {
  return row.IsNull(column) ? std::nullopt : std::optional(queue::FromMicros(row.Int(column)));
}

std::optional<RunState> ReadRun(driver::Connection& connection, Statement statement,
                                std::int64_t run_id) {
  std::optional<RunState> run;
  connection.Run(statement, {run_id}, [&](const driver::Row& row) {
    run = RunState{.id = row.Int(0),
                   .queue_id = row.Int(1),
                   .status = static_cast<RunStatus>(row.Int(2)),
                   .epoch = row.Int(3),
                   .version = row.OptionalInt(4),
                   .parent_id = row.OptionalInt(5),
                   .parent_step = OptionalText(row, 6).value_or(""),
                   .parent_ordinal = row.Int(7),
                   .start_token = row.OptionalInt(8),
                   .pause_requested = row.Int(9) != 0,
                   .waits_for_events = OptionalText(row, 10),
                   .waits_for_children = row.Int(11) != 0,
                   .created_at = row.Int(12),
                   .started_at = row.OptionalInt(13),
                   .finished_at = row.OptionalInt(14)};
    return true;
  });
  return run;
}

}  // namespace

std::optional<Json> ToJson(const driver::Row& row, int column) {
  if (row.IsNull(column)) return std::nullopt;
  return Json::FromTrusted(std::string(row.Text(column)));
}

Value ToText(const std::optional<Json>& json) {
  return json ? Value(std::string_view(json->text())) : Value();
}

bool HasRow(driver::Connection& connection, Statement statement,
            std::initializer_list<Value> parameters) {
  bool has_row = false;
  connection.Run(statement, parameters, [&](const driver::Row&) {
    has_row = true;
    return true;
  });
  return has_row;
}

std::vector<std::int64_t> Ids(driver::Connection& connection, Statement statement,
                              std::initializer_list<Value> parameters) {
  std::vector<std::int64_t> ids;
  connection.Run(statement, parameters, [&](const driver::Row& row) {
    ids.push_back(row.Int(0));
    return true;
  });
  return ids;
}

std::optional<RunState> PeekRun(driver::Connection& connection, std::int64_t run_id) {
  return ReadRun(connection, Statement::kPeekRun, run_id);
}

std::optional<RunState> LockRun(driver::Connection& connection, std::int64_t run_id) {
  return ReadRun(connection, Statement::kLockRun, run_id);
}

void UpdateRun(driver::Connection& connection, const RunState& run, std::int64_t now) {
  connection.Run(Statement::kUpdateRun,
                 {run.id, static_cast<std::int64_t>(run.status), run.epoch, ToValue(run.version),
                  ToValue(run.start_token), std::int64_t{run.pause_requested},
                  ToValue(run.waits_for_events), std::int64_t{run.waits_for_children}, now,
                  ToValue(run.started_at), ToValue(run.finished_at)});
}

std::optional<RunTexts> FindTexts(driver::Connection& connection, std::int64_t run_id) {
  std::optional<RunTexts> texts;
  connection.Run(Statement::kFindRunTexts, {run_id}, [&](const driver::Row& row) {
    texts = RunTexts{.input = std::string(row.Text(0)),
                     .output = OptionalText(row, 1),
                     .error = OptionalText(row, 2),
                     .priority = static_cast<int>(row.Int(3))};
    return true;
  });
  return texts;
}

void SetResult(driver::Connection& connection, std::int64_t run_id, const Value& output,
               const Value& error) {
  connection.Run(Statement::kSetRunResult, {run_id, output, error});
}

bool InsertRun(driver::Connection& connection, const NewRun& run, std::int64_t now) {
  const bool has_parent = run.parent_id.has_value();
  return HasRow(connection, Statement::kInsertRun,
                {run.id, run.queue_id, ToValue(run.version), ToValue(run.idempotency_key),
                 std::int64_t{run.priority}, ToValue(run.parent_id),
                 has_parent ? Value(std::string_view(run.parent_step)) : Value(),
                 has_parent ? Value(run.parent_ordinal) : Value(), run.input, now});
}

bool IsWorkflow(driver::Connection& connection, std::int64_t queue_id) {
  return HasRow(connection, Statement::kIsWorkflow, {queue_id});
}

bool StoreStep(driver::Connection& connection, std::int64_t run_id, std::int64_t epoch,
               const StoredStep& step, std::int64_t now) {
  return HasRow(connection, Statement::kRecordStep,
                {run_id, std::string_view(step.name), std::int64_t{step.ordinal},
                 std::int64_t{step.position}, static_cast<std::int64_t>(step.kind),
                 static_cast<std::int64_t>(step.status), epoch, std::int64_t{step.attempts},
                 ToText(step.input), ToText(step.output), ToText(step.error), ToTime(step.retry_at),
                 ToTime(step.wake_at), step.child_id != 0 ? Value(step.child_id) : Value(), now});
}

bool RecordStep(driver::Connection& connection, std::int64_t run_id, std::int64_t epoch,
                const StoredStep& step, std::int64_t now) {
  if (StoreStep(connection, run_id, epoch, step, now)) return true;
  // The same record again is no other outcome; neither is what became of a child meanwhile.
  const auto found = FindStep(connection, run_id, step.name, step.ordinal);
  return found && (found->epoch == epoch || step.kind == StepKind::kChild);
}

std::optional<FoundStep> FindStep(driver::Connection& connection, std::int64_t run_id,
                                  std::string_view name, std::int64_t ordinal) {
  std::optional<FoundStep> found;
  connection.Run(Statement::kFindStep, {run_id, name, ordinal}, [&](const driver::Row& row) {
    found = FoundStep{.status = static_cast<StepStatus>(row.Int(0)),
                      .epoch = row.Int(1),
                      .position = row.Int(2),
                      .child_id = row.Int(3),
                      .output = ToJson(row, 4)};
    return true;
  });
  return found;
}

StoredStep ReadStep(const driver::Row& row, int first, std::int64_t& epoch) {
  epoch = row.Int(first + 5);
  StoredStep step;
  step.name = row.Text(first);
  step.ordinal = static_cast<int>(row.Int(first + 1));
  step.position = static_cast<int>(row.Int(first + 2));
  step.kind = static_cast<StepKind>(row.Int(first + 3));
  step.status = static_cast<StepStatus>(row.Int(first + 4));
  step.attempts = static_cast<int>(row.Int(first + 6));
  step.output = ToJson(row, first + 7);
  step.error = ToJson(row, first + 8);
  step.retry_at = ReadTime(row, first + 9);
  step.wake_at = ReadTime(row, first + 10);
  step.child_id = row.Int(first + 11);
  return step;
}

std::vector<StoredStep> StepsOfRun(driver::Connection& connection, std::int64_t run_id,
                                   std::int64_t& last_epoch) {
  std::vector<StoredStep> steps;
  connection.Run(Statement::kStepsOfRun, {run_id}, [&](const driver::Row& row) {
    std::int64_t epoch = 0;
    steps.push_back(ReadStep(row, 0, epoch));
    last_epoch = std::max(last_epoch, epoch);
    return true;
  });
  std::stable_sort(steps.begin(), steps.end(), [](const StoredStep& a, const StoredStep& b) {
    return a.position < b.position;
  });
  return steps;
}

}  // namespace pgqrs::workflow
