#include "workflow/set_runs.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

#include "queue/columns.h"
#include "queue/rows.h"
#include "workflow/run_rows.h"

namespace pgqrs::workflow {
namespace {

using driver::Scalar;
using queue::AsValue;
using queue::Columns;
using sql::Statement;
using What = RunRequest::What;

Scalar OrNull(const std::optional<Json>& json) {
  return json ? Scalar(std::string_view(json->text())) : Scalar();
}
Scalar OrNull(const std::optional<TimePoint>& time) {
  return time ? Scalar(queue::ToMicros(*time)) : Scalar();
}
Scalar OrNull(const std::optional<int>& number) {
  return number ? Scalar(std::int64_t{*number}) : Scalar();
}

// The columns of a start's answer, see pgqrs_start_runs.
enum Column { kRequest, kEpoch, kVersion, kCreated, kParent, kInput, kFirstOfStep };

std::size_t Index(const driver::Row& row) { return static_cast<std::size_t>(row.Int(0) - 1); }

void SortSteps(StartRequest& start) {
  std::stable_sort(
      start.steps.begin(), start.steps.end(),
      [](const StoredStep& a, const StoredStep& b) { return a.position < b.position; });
}

}  // namespace

bool SetRuns::CanTake(const RunRequest& request) {
  if (request.is_left_over) return false;
  switch (request.what) {
    case What::kStart:
      return static_cast<const StartRequest&>(request).lease_token != 0;
    case What::kRecord:
      return static_cast<const RecordRequest&>(request).step.child_id == 0;
    case What::kFinish: {
      const auto& finish = static_cast<const FinishRequest&>(request);
      return finish.status == RunStatus::kSuccess ||
             (finish.status == RunStatus::kError && finish.failure);
    }
    default:
      return false;
  }
}

void SetRuns::Lock(const std::vector<RunRequest*>& requests) {
  std::vector<std::int64_t> ids;
  bool is_in_order = true;  // As they are worked on: one kind after another, each in order.
  for (const auto* request : requests) {
    const bool may_end = request->what == What::kFinish || request->what == What::kSuspend;
    const bool tells_parent = request->run.parent_id != 0 && may_end;
    if (request->run.id != 0) ids.push_back(request->run.id);
    if (tells_parent) ids.push_back(request->run.parent_id);
    is_in_order = is_in_order && !tells_parent && request->what == requests.front()->what;
  }
  std::ranges::sort(ids);
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  if (is_in_order || ids.size() < 2) return;
  Columns<1> column;
  for (const auto id : ids) column.Add({id});
  connection_.Send(Statement::kLockRuns, column.Values(),
                   sinks_.emplace_back([](const auto&) { return true; }));
}

void SetRuns::Send(std::vector<RunRequest*> requests) {
  std::stable_sort(requests.begin(), requests.end(),
                   [](const auto* a, const auto* b) { return a->run.id < b->run.id; });
  for (auto* request : requests) {
    request->outcome = Outcome::kStale;
    if (request->what == What::kStart) {
      starts_.push_back(static_cast<StartRequest*>(request));
      starts_.back()->steps.clear();
    } else if (request->what == What::kRecord) {
      records_.push_back(static_cast<RecordRequest*>(request));
    } else {
      finishes_.push_back(static_cast<FinishRequest*>(request));
    }
  }
  unanswered_ = std::move(requests);
  if (!starts_.empty()) SendStarts();
  if (!records_.empty()) SendRecords();
  if (!finishes_.empty()) SendFinishes();
}

void SetRuns::SendStarts() {
  Columns<4> columns;
  for (const auto* start : starts_) {
    columns.Add(
        {start->run.id, start->run.queue_id, start->lease_token, OrNull(start->code_version)});
  }
  auto values = columns.Values();
  values.push_back(AsValue(connection_.Clock()));
  connection_.Send(Statement::kStartRuns, values, sinks_.emplace_back([this](const auto& row) {
    ReadStart(row);
    return true;
  }));
}

void SetRuns::ReadStart(const driver::Row& row) {
  auto& start = *starts_.at(Index(row));
  if (!row.IsNull(kFirstOfStep)) {
    std::int64_t epoch = 0;
    start.steps.push_back(ReadStep(row, kFirstOfStep, epoch));
    return;
  }
  start.outcome = Outcome::kDone;
  start.status = RunStatus::kRunning;
  start.epoch = row.Int(kEpoch);
  start.version =
      row.IsNull(kVersion) ? std::nullopt : std::optional(static_cast<int>(row.Int(kVersion)));
  start.created_at = row.Int(kCreated);
  start.parent_id = row.Int(kParent);
  start.input = Json::FromTrusted(std::string(row.Text(kInput)));
  start.output.reset();
  start.failure.reset();
}

void SetRuns::SendRecords() {
  Columns<13> columns;
  for (const auto* record : records_) {
    const auto& step = record->step;
    columns.Add({record->run.id, record->epoch, std::string_view(step.name),
                 std::int64_t{step.ordinal}, std::int64_t{step.position},
                 static_cast<std::int64_t>(step.kind), static_cast<std::int64_t>(step.status),
                 std::int64_t{step.attempts}, OrNull(step.input), OrNull(step.output),
                 OrNull(step.error), OrNull(step.retry_at), OrNull(step.wake_at)});
  }
  auto values = columns.Values();
  values.push_back(AsValue(connection_.Clock()));
  connection_.Send(Statement::kRecordSteps, values, sinks_.emplace_back([this](const auto& row) {
    NoteRecorded(row);
    return true;
  }));
}

// Those of one run come side by side.
void SetRuns::NoteRecorded(const driver::Row& row) {
  const auto run_id = row.Int(0);
  auto record = std::lower_bound(
      records_.begin(), records_.end(), run_id,
      [](const RecordRequest* other, std::int64_t id) { return other->run.id < id; });
  for (; record != records_.end() && (*record)->run.id == run_id; ++record) {
    const auto& step = (*record)->step;
    if (step.ordinal == row.Int(2) && step.name == row.Text(1)) (*record)->outcome = Outcome::kDone;
  }
}

void SetRuns::SendFinishes() {
  Columns<6> columns;
  for (const auto* finish : finishes_) {
    columns.Add({finish->run.id, finish->run.queue_id, finish->epoch,
                 static_cast<std::int64_t>(finish->status), OrNull(finish->output),
                 OrNull(finish->failure)});
  }
  auto values = columns.Values();
  values.push_back(AsValue(connection_.Clock()));
  connection_.Send(Statement::kFinishRuns, values, sinks_.emplace_back([this](const auto& row) {
    auto& finish = *finishes_.at(Index(row));
    finish.outcome = Outcome::kDone;
    effects_.ended.push_back(finish.run.id);
    if (!row.IsNull(1)) effects_.released[row.Int(1)] += 1;
    // In the past, so at once.
    if (!row.IsNull(2)) effects_.visible.push_back({row.Int(2), 0});
    return true;
  }));
}

std::vector<RunRequest*> SetRuns::Conclude() {
  for (auto* start : starts_) SortSteps(*start);
  std::erase_if(unanswered_,
                [](const auto* request) { return request->outcome == Outcome::kDone; });
  for (auto* request : unanswered_) request->is_left_over = true;
  return std::move(unanswered_);
}

}  // namespace pgqrs::workflow
