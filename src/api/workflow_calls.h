// Triggers of runs.
#ifndef PGQRS_API_WORKFLOW_CALLS_H_
#define PGQRS_API_WORKFLOW_CALLS_H_

#include <pgqrs/future.h>
#include <pgqrs/run.h>

#include <memory>
#include <optional>
#include <string_view>

#include "api/store_core.h"
#include "queue/queues.h"

namespace pgqrs::internal {

struct TriggerTarget {
  std::string_view workflow;
  queue::IfMissing if_missing = queue::IfMissing::kCreate;
  std::optional<int> version = {};  // None: that of the worker that starts the run.
};

RunHandle TriggerRun(const std::shared_ptr<StoreCore>& store, const TriggerTarget& target,
                     const Json& input, const TriggerOptions& options);
Future<RunHandle> TriggerRunAsync(const std::shared_ptr<StoreCore>& store,
                                  const TriggerTarget& target, const Json& input,
                                  const TriggerOptions& options);

}  // namespace pgqrs::internal

#endif  // PGQRS_API_WORKFLOW_CALLS_H_
