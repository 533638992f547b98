// The workflows of a store, their runs and their steps.
#ifndef PGQRS_WORKFLOWS_H_
#define PGQRS_WORKFLOWS_H_

#include <pgqrs/future.h>
#include <pgqrs/json.h>
#include <pgqrs/run.h>
#include <pgqrs/workflow_records.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

namespace pgqrs {

struct ForkOptions {
  // The version of the workflow's code that executes the new run. None: that of the old one.
  std::optional<int> version = {};
};

// What people and programs do with runs from outside. Every call works from any thread.
class Workflows {
 public:
  // Makes the workflow of this name, with its queue, where it is missing.
  WorkflowInfo Create(std::string_view name);
  Future<WorkflowInfo> CreateAsync(std::string_view name);

  std::optional<WorkflowInfo> Find(std::string_view name);
  Future<std::optional<WorkflowInfo>> FindAsync(std::string_view name);
  std::vector<WorkflowInfo> List();
  Future<std::vector<WorkflowInfo>> ListAsync();

  // Triggers a run by the name of its workflow, which has to exist (QueueNotFoundError), with an
  // input as JSON. Whatever version of the code the worker has that starts it executes it.
  RunHandle Trigger(std::string_view name, const Json& input, const TriggerOptions& options = {});
  Future<RunHandle> TriggerAsync(std::string_view name, const Json& input,
                                 const TriggerOptions& options = {});

  // A run by its id; ValidationError where there is none.
  RunHandle Get(std::int64_t run_id);
  Future<RunHandle> GetAsync(std::int64_t run_id);

  // The same without a look at whether there is one: the calls of the handle tell.
  RunHandle Handle(std::int64_t run_id);

  // Listings, a page at a time; see the filters.
  std::vector<RunInfo> Runs(const RunFilter& filter = {});
  Future<std::vector<RunInfo>> RunsAsync(const RunFilter& filter = {});
  std::vector<StepInfo> Steps(const StepFilter& filter = {});
  Future<std::vector<StepInfo>> StepsAsync(const StepFilter& filter = {});

  // Sends an event to a run, which RunContext::WaitForEvent of that name receives: one that waits
  // already goes on. ValidationError where there is no such run, or it is finished.
  void SendEvent(std::int64_t run_id, std::string_view name, const Json& payload);
  Future<void> SendEventAsync(std::int64_t run_id, std::string_view name, const Json& payload);

  // Cancels all unfinished runs that the filter gives, whatever its limit, and tells how many of
  // them were not Cancelling yet. Their children are cancelled with them, and not counted.
  std::int64_t CancelMany(RunFilter filter);
  Future<std::int64_t> CancelManyAsync(RunFilter filter);

  // Lets a run that failed or was cancelled go on: steps that have succeeded stay, the others have
  // all their tries again. ValidationError where it is in another state, or a child that was
  // cancelled with it has not ended yet.
  void Retry(std::int64_t run_id);
  Future<void> RetryAsync(std::int64_t run_id);

  // Triggers a new run with the input of an old one, and with its steps before the first one of
  // this name (and of all calls of that name, that one; from 0): those do not run again. Without a
  // name all that have an outcome are taken over. ValidationError where the run has no such step.
  RunHandle Fork(std::int64_t run_id, std::string_view from_step = {}, int ordinal = 0,
                 const ForkOptions& options = {});
  Future<RunHandle> ForkAsync(std::int64_t run_id, std::string_view from_step = {}, int ordinal = 0,
                              const ForkOptions& options = {});

  // Removes finished runs of a workflow with their steps, in small transactions, and tells how
  // many.
  std::int64_t ApplyRetention(std::string_view name, const RunRetention& retention);
  Future<std::int64_t> ApplyRetentionAsync(std::string_view name, const RunRetention& retention);

 private:
  friend class PgqrsStore;
  explicit Workflows(std::shared_ptr<internal::StoreCore> core) : core_(std::move(core)) {}
  const std::shared_ptr<internal::StoreCore>& core() const;

  std::shared_ptr<internal::StoreCore> core_;
};

}  // namespace pgqrs

#endif  // PGQRS_WORKFLOWS_H_
