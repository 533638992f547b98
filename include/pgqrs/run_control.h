// Executions of runs for event loops and other languages, which bring their own way to wait.
#ifndef PGQRS_RUN_CONTROL_H_
#define PGQRS_RUN_CONTROL_H_

#include <pgqrs/future.h>
#include <pgqrs/json.h>
#include <pgqrs/run_context.h>
#include <pgqrs/time.h>
#include <pgqrs/transaction.h>
#include <pgqrs/workflow_records.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pgqrs {

class Message;
class PgqrsStore;

namespace internal {
class RunCore;
class StoreCore;
}  // namespace internal

// The message that a run is started by. Without a lease token nobody has to hold the message, and
// whoever executes the run at the moment is fenced off.
struct RunTicket {
  std::int64_t run_id = 0;
  std::int64_t queue_id = 0;
  std::int64_t lease_token = 0;

  static RunTicket Of(const Message& message);
};

// A step of an execution: what is recorded of it, or is to be.
struct ClaimedStep {
  std::string name;
  int ordinal = 0;
  int position = 0;
  StepKind kind = StepKind::kStep;
  bool is_recorded = false;
  StepStatus status = StepStatus::kRunning;
  int attempts = 0;
  std::optional<Json> output;
  std::optional<Json> error;
  std::optional<TimePoint> retry_at;
  std::optional<TimePoint> wake_at;
  std::int64_t child_id = 0;  // 0: none.
};

// What a run waits for, once it is suspended: whatever comes first.
struct RunWaitFor {
  std::vector<ClaimedStep> steps = {};  // To be recorded with it.
  std::optional<TimePoint> until = {};
  std::vector<std::string> events = {};
  bool children = false;
};

// One execution of a run, step by step. RunContext does all of this by itself, and waits; here
// nothing waits but Transact, and it is the caller who keeps to the order
//
//   Claim or Find; where the step is not recorded as a success: do it; RecordAsync
//
// and ends the execution by one of SuspendAsync, GiveBackAsync, PauseAsync and FinishAsync. Copies
// share the execution; every call works from any thread.
class RunControl {
 public:
  // Begins an execution. A message of a workflow's queue that no trigger has stored becomes a run
  // by that, with `payload` as its input. Where the outcome is not kDone, nothing can be recorded,
  // but the steps of a run that is finished can be read.
  static Future<RunControl> StartAsync(const PgqrsStore& store, const RunTicket& ticket,
                                       const Json& payload,
                                       std::optional<int> code_version = std::nullopt);

  // How the run was found.
  RunOutcome outcome() const;
  RunStatus status() const;
  const std::optional<Json>& output() const;
  const std::optional<Json>& error() const;

  std::int64_t id() const;
  const Json& input() const;
  std::optional<int> version() const;

  // The database's clock, roughly, without asking the database.
  TimePoint CurrentTime() const;

  // The next call of that name in this scope, which precedes the name and has an order of calls of
  // its own: "" or "…]/". NonDeterminismError where something else is recorded there,
  // ValidationError for a name without 1 to 255 bytes.
  ClaimedStep Claim(const std::string& scope, std::string_view name, StepKind kind);
  // The step of exactly this name, whatever was called before.
  ClaimedStep Find(std::string_view name) const;
  // A step that is recorded.
  ClaimedStep Get(const std::string& name, int ordinal) const;
  // NonDeterminismError where steps are recorded that were not called.
  void CheckEnd() const;

  // Throws where the store cannot take the output of a step or a run: ValidationError, or
  // SerializationError where it is the database that cannot.
  void CheckOutput(const Json& output) const;

  // The next calls throw where the store is closed.

  // Records the step as it is.
  Future<RunOutcome> RecordAsync(const ClaimedStep& step) const;

  // Takes the oldest event of that name, and records it as the output of the step; nothing where
  // there is none, and then the step is recorded as it is.
  struct Received {
    RunOutcome outcome = RunOutcome::kDone;
    std::optional<Json> payload;
  };
  Future<Received> ReceiveAsync(const ClaimedStep& step, std::string_view event) const;

  // Triggers a run of another workflow, which is made where it is missing, and records the step.
  struct Child {
    RunOutcome outcome = RunOutcome::kDone;
    std::int64_t id = 0;
  };
  Future<Child> ChildAsync(const ClaimedStep& step, std::string_view workflow, const Json& input,
                           const ChildOptions& options = {},
                           std::optional<int> version = std::nullopt) const;

  // Lets the run go on later: at a time, or by what it waits for.
  Future<RunOutcome> SuspendAsync(const RunWaitFor& wait) const;
  Future<RunOutcome> GiveBackAsync(Duration delay) const;
  Future<RunOutcome> PauseAsync(const std::optional<Json>& reason,
                                std::optional<Duration> resume_after,
                                const std::vector<ClaimedStep>& steps = {}) const;

  // Ends the run: kSuccess with an output, kError with an error, or kCancelled.
  Future<RunOutcome> FinishAsync(RunStatus status, const std::optional<Json>& output,
                                 const std::optional<Json>& error) const;

  // Runs `body` in a transaction that records the step too, and fills in its output. Waits for the
  // database. Throws what the body throws, with nothing done; the body may be called again where
  // other transactions stood in the way. What the database threw is a PgqrsConnectionError or an
  // InternalError, and `body_threw` tells the one from the other.
  RunOutcome Transact(ClaimedStep& step, const std::function<Json(Transaction&)>& body,
                      bool& body_threw) const;

 private:
  struct State;
  explicit RunControl(std::shared_ptr<State> state) : state_(std::move(state)) {}
  internal::RunCore& core() const;

  std::shared_ptr<State> state_;
};

}  // namespace pgqrs

#endif  // PGQRS_RUN_CONTROL_H_
