#include <pgqrs/error.h>
#include <pgqrs/workflows.h>

#include <limits>
#include <string>
#include <utility>

#include "api/arguments.h"
#include "api/moved_from.h"
#include "api/store_core.h"
#include "api/workflow_calls.h"
#include "workflow/jobs.h"
#include "workflow/reads.h"

namespace pgqrs {
namespace {

constexpr std::size_t kMaxName = 255;

void CheckFilter(const RunFilter& filter) {
  internal::CheckText("workflow", filter.workflow, kMaxName);
  internal::CheckText("idempotency_key", filter.idempotency_key, kMaxName);
  internal::CheckCount("limit", filter.limit, 1, 10'000);
}

}  // namespace

const std::shared_ptr<internal::StoreCore>& Workflows::core() const {
  return internal::CheckNotMovedFrom(core_, "a Workflows");
}

Future<WorkflowInfo> Workflows::CreateAsync(std::string_view name) {
  internal::CheckQueueName(name);
  return core()->Write([name = std::string(name)](driver::Connection& connection) {
    return workflow::EnsureWorkflow(connection, name);
  });
}
WorkflowInfo Workflows::Create(std::string_view name) { return CreateAsync(name).Get(); }

Future<std::optional<WorkflowInfo>> Workflows::FindAsync(std::string_view name) {
  internal::CheckQueueName(name);
  return core()->Read([name = std::string(name)](driver::Connection& connection) {
    return workflow::FindWorkflow(connection, name);
  });
}
std::optional<WorkflowInfo> Workflows::Find(std::string_view name) { return FindAsync(name).Get(); }

Future<std::vector<WorkflowInfo>> Workflows::ListAsync() {
  return core()->Read(workflow::ListWorkflows);
}
std::vector<WorkflowInfo> Workflows::List() { return ListAsync().Get(); }

Future<RunHandle> Workflows::TriggerAsync(std::string_view name, const Json& input,
                                          const TriggerOptions& options) {
  return internal::TriggerRunAsync(
      core(), {.workflow = name, .if_missing = queue::IfMissing::kFail}, input, options);
}
RunHandle Workflows::Trigger(std::string_view name, const Json& input,
                             const TriggerOptions& options) {
  return internal::TriggerRun(core(), {.workflow = name, .if_missing = queue::IfMissing::kFail},
                              input, options);
}

Future<RunHandle> Workflows::GetAsync(std::int64_t run_id) {
  return core()->Read([store = core(), run_id](driver::Connection& connection) {
    return RunHandle(store, workflow::GetRun(connection, run_id).id);
  });
}
RunHandle Workflows::Get(std::int64_t run_id) { return GetAsync(run_id).Get(); }

RunHandle Workflows::Handle(std::int64_t run_id) { return {core(), run_id}; }

Future<std::vector<RunInfo>> Workflows::RunsAsync(const RunFilter& filter) {
  CheckFilter(filter);
  return core()->Read(
      [filter](driver::Connection& connection) { return workflow::ListRuns(connection, filter); });
}
std::vector<RunInfo> Workflows::Runs(const RunFilter& filter) { return RunsAsync(filter).Get(); }

Future<std::vector<StepInfo>> Workflows::StepsAsync(const StepFilter& filter) {
  internal::CheckText("name", filter.name, kMaxName);
  internal::CheckCount("limit", filter.limit, 1, 10'000);
  return core()->Read(
      [filter](driver::Connection& connection) { return workflow::ListSteps(connection, filter); });
}
std::vector<StepInfo> Workflows::Steps(const StepFilter& filter) {
  return StepsAsync(filter).Get();
}

namespace {

internal::CallPtr<void, workflow::SendEventRequest> MakeSendEvent(internal::StoreCore& store,
                                                                  std::int64_t run_id,
                                                                  std::string_view name,
                                                                  const Json& payload) {
  if (name.empty()) throw ValidationError("event name: is empty");
  internal::CheckText("event name", name, kMaxName);
  store.CheckPayload(payload);
  auto call = store.MakeCall<void, workflow::SendEventRequest>([](workflow::SendEventRequest&) {});
  call->bytes += payload.text().size();
  call->run.id = run_id;
  call->event = name;
  call->payload = payload;
  return call;
}

}  // namespace

Future<void> Workflows::SendEventAsync(std::int64_t run_id, std::string_view name,
                                       const Json& payload) {
  return core()->Submit(MakeSendEvent(*core(), run_id, name, payload));
}
void Workflows::SendEvent(std::int64_t run_id, std::string_view name, const Json& payload) {
  core()->Run(MakeSendEvent(*core(), run_id, name, payload));
}

Future<std::int64_t> Workflows::CancelManyAsync(RunFilter filter) {
  CheckFilter(filter);
  return core()->RunSteps(workflow::Cancellation(std::move(filter)),
                          &workflow::Cancellation::cancelled);
}
std::int64_t Workflows::CancelMany(RunFilter filter) {
  return CancelManyAsync(std::move(filter)).Get();
}

Future<void> Workflows::RetryAsync(std::int64_t run_id) {
  return core()->Write(
      [run_id](driver::Connection& connection) { workflow::RetryRun(connection, run_id); });
}
void Workflows::Retry(std::int64_t run_id) { RetryAsync(run_id).Get(); }

Future<RunHandle> Workflows::ForkAsync(std::int64_t run_id, std::string_view from_step, int ordinal,
                                       const ForkOptions& options) {
  internal::CheckText("from_step", from_step, kMaxName);
  internal::CheckCount("ordinal", ordinal, 0, std::numeric_limits<int>::max());
  if (options.version) {
    internal::CheckCount("version", *options.version, 1, std::numeric_limits<int>::max());
  }
  workflow::Fork fork = {.run_id = run_id,
                         .step = std::string(from_step),
                         .ordinal = ordinal,
                         .producer = core()->own_worker(),
                         .version = options.version};
  return core()->Write([store = core(), fork = std::move(fork)](driver::Connection& connection) {
    return RunHandle(store, workflow::ForkRun(connection, fork));
  });
}
RunHandle Workflows::Fork(std::int64_t run_id, std::string_view from_step, int ordinal,
                          const ForkOptions& options) {
  return ForkAsync(run_id, from_step, ordinal, options).Get();
}

namespace {

// Finds the workflow first.
class RetentionByName {
 public:
  RetentionByName(std::string name, const RunRetention& retention)
      : name_(std::move(name)), retention_(retention) {}

  bool Step(driver::Connection& connection) {
    if (!work_) {
      const auto found = workflow::FindWorkflow(connection, name_);
      if (!found) throw ValidationError("no workflow \"" + name_ + "\" exists");
      work_.emplace(found->id, retention_);
    }
    return work_->Step(connection);
  }
  std::int64_t removed() const { return work_->removed(); }

 private:
  std::string name_;
  RunRetention retention_;
  std::optional<workflow::RunRetentionWork> work_;
};

}  // namespace

Future<std::int64_t> Workflows::ApplyRetentionAsync(std::string_view name,
                                                    const RunRetention& retention) {
  internal::CheckQueueName(name);
  if (retention.max_age) internal::CheckDuration("max_age", *retention.max_age, Duration::zero());
  if (retention.max_count && *retention.max_count < 0) {
    throw ValidationError("max_count: is negative");
  }
  return core()->RunSteps(RetentionByName(std::string(name), retention), &RetentionByName::removed);
}
std::int64_t Workflows::ApplyRetention(std::string_view name, const RunRetention& retention) {
  return ApplyRetentionAsync(name, retention).Get();
}

}  // namespace pgqrs
