// Workflows, runs and steps as records.
#ifndef PGQRS_WORKFLOW_READS_H_
#define PGQRS_WORKFLOW_READS_H_

#include <pgqrs/workflow_records.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "driver/driver.h"

namespace pgqrs::workflow {

std::optional<WorkflowInfo> FindWorkflow(driver::Connection& connection, std::string_view name);
std::vector<WorkflowInfo> ListWorkflows(driver::Connection& connection);

std::optional<RunInfo> FindRun(driver::Connection& connection, std::int64_t run_id);
// Throws ValidationError.
RunInfo GetRun(driver::Connection& connection, std::int64_t run_id);

// Of these runs those that are finished, or not there.
std::vector<std::int64_t> EndedRuns(driver::Connection& connection,
                                    std::span<const std::int64_t> run_ids);

// Listings throw ValidationError where the limit is out of its bounds.
std::vector<RunInfo> ListRuns(driver::Connection& connection, const RunFilter& filter);
// Their ids alone.
std::vector<std::int64_t> ListRunIds(driver::Connection& connection, const RunFilter& filter);
std::vector<StepInfo> ListSteps(driver::Connection& connection, const StepFilter& filter);

// How many runs the filter lets through, whatever its page.
std::int64_t CountRuns(driver::Connection& connection, const RunFilter& filter);

}  // namespace pgqrs::workflow

#endif  // PGQRS_WORKFLOW_READS_H_
