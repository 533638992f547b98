// Between the rows of the workflow tables and the structures of this folder.
#ifndef PGQRS_WORKFLOW_RUN_ROWS_H_
#define PGQRS_WORKFLOW_RUN_ROWS_H_

#include <pgqrs/json.h>
#include <pgqrs/workflow_records.h>

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "driver/driver.h"
#include "workflow/request.h"

namespace pgqrs::workflow {

// What decides about a run; its texts are read where they are needed.
struct RunState {
  std::int64_t id = 0;
  std::int64_t queue_id = 0;
  RunStatus status = RunStatus::kQueued;
  std::int64_t epoch = 0;
  std::optional<std::int64_t> version;
  std::optional<std::int64_t> parent_id;
  std::string parent_step;
  std::int64_t parent_ordinal = 0;
  std::optional<std::int64_t> start_token;  // None: it is not executed.
  bool pause_requested = false;
  std::optional<std::string> waits_for_events;
  bool waits_for_children = false;
  std::int64_t created_at = 0;
  std::optional<std::int64_t> started_at;
  std::optional<std::int64_t> finished_at;

  bool is_finished() const { return IsFinished(status); }
  // Whether it goes on when something happens that it waits for.
  bool is_suspended() const { return status == RunStatus::kRunning && !start_token; }
  // As if nobody had started it, but for what was recorded.
  void StopWaiting() {
    start_token.reset();
    pause_requested = false;
    waits_for_events.reset();
    waits_for_children = false;
  }
};

// What a new run has from the beginning.
struct NewRun {
  std::int64_t id = 0;
  std::int64_t queue_id = 0;
  std::optional<std::int64_t> version;
  std::optional<std::string> idempotency_key;
  int priority = 5;
  std::optional<std::int64_t> parent_id;
  std::string parent_step;
  std::int64_t parent_ordinal = 0;
  std::string_view input;
};

struct RunTexts {
  std::string input;
  std::optional<std::string> output;
  std::optional<std::string> error;
  int priority = 5;
};

inline std::optional<std::int64_t> ToOptional(const std::optional<int>& number) {
  return number ? std::optional<std::int64_t>(*number) : std::nullopt;
}
std::optional<Json> ToJson(const driver::Row& row, int column);
driver::Value ToText(const std::optional<Json>& json);

// Reads it as it is at the moment.
std::optional<RunState> PeekRun(driver::Connection& connection, std::int64_t run_id);
// Reads and locks it, up to the end of the transaction.
std::optional<RunState> LockRun(driver::Connection& connection, std::int64_t run_id);
void UpdateRun(driver::Connection& connection, const RunState& run, std::int64_t now);
std::optional<RunTexts> FindTexts(driver::Connection& connection, std::int64_t run_id);
void SetResult(driver::Connection& connection, std::int64_t run_id, const driver::Value& output,
               const driver::Value& error);
// Answers whether it was stored: it is not where the workflow has a run of that id or key.
bool InsertRun(driver::Connection& connection, const NewRun& run, std::int64_t now);
bool IsWorkflow(driver::Connection& connection, std::int64_t queue_id);

// Stores a step under an epoch. Answers whether it was stored: what has an outcome for good stays.
bool StoreStep(driver::Connection& connection, std::int64_t run_id, std::int64_t epoch,
               const StoredStep& step, std::int64_t now);
// The same, so that it may be repeated. Answers whether it is recorded now; not where another epoch
// has recorded an outcome for good.
bool RecordStep(driver::Connection& connection, std::int64_t run_id, std::int64_t epoch,
                const StoredStep& step, std::int64_t now);

struct FoundStep {
  StepStatus status = StepStatus::kRunning;
  std::int64_t epoch = 0;
  std::int64_t position = 0;
  std::int64_t child_id = 0;
  std::optional<Json> output;
};
std::optional<FoundStep> FindStep(driver::Connection& connection, std::int64_t run_id,
                                  std::string_view name, std::int64_t ordinal);

// Reads the columns of StepsOfRun, from this one on.
StoredStep ReadStep(const driver::Row& row, int first, std::int64_t& epoch);
// In the order of their positions. `last_epoch` is the highest under which one was recorded.
std::vector<StoredStep> StepsOfRun(driver::Connection& connection, std::int64_t run_id,
                                   std::int64_t& last_epoch);

// Whether a statement gives a row.
bool HasRow(driver::Connection& connection, sql::Statement statement,
            std::initializer_list<driver::Value> parameters);

// The ids that a statement gives.
std::vector<std::int64_t> Ids(driver::Connection& connection, sql::Statement statement,
                              std::initializer_list<driver::Value> parameters);

}  // namespace pgqrs::workflow

#endif  // PGQRS_WORKFLOW_RUN_ROWS_H_
