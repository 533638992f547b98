// One execution of a run, as it stands between the code of a workflow and the storage. Nothing here
// waits.
#ifndef PGQRS_API_RUN_CORE_H_
#define PGQRS_API_RUN_CORE_H_

#include <pgqrs/json.h>
#include <pgqrs/run_context.h>
#include <pgqrs/run_control.h>
#include <pgqrs/workflow_records.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/store_core.h"
#include "workflow/request.h"

namespace pgqrs::internal {

// What a run waits for when it is suspended. Branches that wait at the same time add up.
struct RunWait {
  std::vector<workflow::StoredStep> steps = {};  // To be recorded with it.
  std::optional<TimePoint> until = {};           // The first of the times.
  std::vector<std::string> events = {};
  bool children = false;

  void Add(const RunWait& other);
};

// A call of the workflow's code that is recorded: which step it is, and what is known of it.
struct StepClaim {
  workflow::StoredStep step;
  bool is_recorded = false;
};

// Shared by the threads of an execution.
class RunCore : public std::enable_shared_from_this<RunCore> {
 public:
  // Begins an execution. `done` gets it, or nothing where the run must not be executed: it is
  // finished, paused, cancelled, or somebody else has it.
  using Started = std::shared_ptr<RunCore>;
  static CallPtr<Started, workflow::StartRequest> MakeStart(const std::shared_ptr<StoreCore>& store,
                                                            const workflow::RunRef& run,
                                                            std::int64_t lease_token,
                                                            const Json& payload,
                                                            std::optional<int> code_version);

  RunCore(std::shared_ptr<StoreCore> store, workflow::StartRequest& started);

  std::int64_t id() const { return run_.id; }
  const workflow::RunRef& run() const { return run_; }
  std::int64_t epoch() const { return epoch_; }
  const Json& input() const { return input_; }
  std::optional<int> version() const { return version_; }
  StoreCore& store() const { return *store_; }
  const std::shared_ptr<StoreCore>& shared_store() const { return store_; }

  // Claims the next call of that name, and holds it against what is recorded: NonDeterminismError.
  // `scope` comes before the name; each scope has an order of calls of its own.
  StepClaim Claim(const std::string& scope, std::string_view name, StepKind kind);
  // The step of exactly this name, whatever else was called before.
  StepClaim Find(std::string_view name);
  // A step that is recorded.
  workflow::StoredStep Get(const std::string& name, int ordinal);
  // NonDeterminismError where the code of a scope has ended before all recorded steps there.
  void CheckEnd(const std::string& scope);
  [[noreturn]] void ThrowNonDeterminism(const std::string& what) const;

  // The requests of the execution, which are yet to be submitted or run. What is recorded
  // successfully is known here from then on.
  using Outcome = workflow::Outcome;
  CallPtr<Outcome, workflow::RecordRequest> MakeRecord(workflow::StoredStep step);
  using Received = RunControl::Received;
  CallPtr<Received, workflow::ReceiveRequest> MakeReceive(workflow::StoredStep step,
                                                          std::string event);
  using Child = RunControl::Child;
  CallPtr<Child, workflow::ChildRequest> MakeChild(
      workflow::StoredStep step, std::shared_ptr<const workflow::WorkflowRef> workflow,
      const Json& input, const ChildOptions& options, std::optional<int> version);
  CallPtr<Outcome, workflow::SuspendRequest> MakeSuspend(RunWait wait);
  // These record `steps` with the end of the execution, too: what branches wait for.
  CallPtr<Outcome, workflow::SuspendRequest> MakeGiveBack(
      Duration delay, std::vector<workflow::StoredStep> steps = {});
  CallPtr<Outcome, workflow::SuspendRequest> MakePause(
      std::optional<Json> error, std::optional<Duration> resume_after,
      std::vector<workflow::StoredStep> steps = {});
  CallPtr<Outcome, workflow::FinishRequest> MakeFinish(RunStatus status, std::optional<Json> output,
                                                       std::optional<Json> error);

  // Runs a transaction step, on this thread, and makes `step` what is recorded of it; where the
  // outcome is another one than kDone, it may be recorded as well. What `body` throws comes out as
  // it is, with `body_threw` set; but where the database only was in trouble the body is called
  // again. Other exceptions are those of Engine::Transact.
  using TransactionBody = std::function<Json(Transaction&)>;
  Outcome Transact(workflow::StoredStep& step, const TransactionBody& body, bool& body_threw);

 private:
  void Know(const workflow::StoredStep& step);
  using Key = std::pair<std::string, int>;

  template <typename Request>
  void Fill(Request& request) const {
    request.run = run_;
    request.epoch = epoch_;
  }

  const std::shared_ptr<StoreCore> store_;
  const workflow::RunRef run_;
  const std::int64_t epoch_;
  const Json input_;
  const std::optional<int> version_;

  std::mutex mutex_;
  std::map<Key, workflow::StoredStep> steps_;
  std::map<std::pair<std::string, int>, Key> by_position_;  // Scope and position there.
  std::map<std::string, int> calls_;                        // By scope: how many.
  std::map<std::string, int> ordinals_;                     // By name: how many.
};

// The error of a run or a step as it is stored.
struct StoredError {
  std::string message;
  std::string code;
  std::string step = {};
  bool is_transient = false;

  Json AsJson() const;
  static StoredError From(const Json& json);
  // Of an exception that the code of a workflow threw.
  static StoredError Of(const std::exception_ptr& error);
};

}  // namespace pgqrs::internal

#endif  // PGQRS_API_RUN_CORE_H_
