// What the function of a workflow does its work with.
#ifndef PGQRS_RUN_CONTEXT_H_
#define PGQRS_RUN_CONTEXT_H_

#include <pgqrs/error.h>
#include <pgqrs/json.h>
#include <pgqrs/json_converter.h>
#include <pgqrs/time.h>
#include <pgqrs/transaction.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace pgqrs {

template <typename Input, typename Output>
class Workflow;
struct WorkflowDefinition;

namespace internal {
class RunScope;

// The step that has triggered a child.
struct ChildStep {
  std::string name;
  int ordinal = 0;
  std::int64_t child_id = 0;
};
}  // namespace internal

// How long a step waits before its next try.
class Backoff {
 public:
  static Backoff Fixed(Duration delay) { return {Kind::kFixed, delay, delay}; }
  // base · 2^(tries so far − 1), at most `max`.
  static Backoff Exponential(Duration base, Duration max) {
    return {Kind::kExponential, base, max};
  }
  // The same, give or take a random quarter. (After AWS Architecture Blog, "Exponential Backoff And
  // Jitter", 2015.)
  static Backoff ExponentialWithJitter(Duration base, Duration max) {
    return {Kind::kJitter, base, max};
  }

  // After `attempts` tries, from 1.
  Duration Delay(int attempts) const;

 private:
  enum class Kind : std::uint8_t { kFixed, kExponential, kJitter };
  Backoff(Kind kind, Duration base, Duration max) : kind_(kind), base_(base), max_(max) {}

  Kind kind_;
  Duration base_;
  Duration max_;
};

struct StepRetryPolicy {
  int max_attempts = 3;  // Tries in all, from 1.
  Backoff backoff =
      Backoff::ExponentialWithJitter(std::chrono::seconds(1), std::chrono::minutes(1));
};

struct StepOptions {
  // None: a step that throws fails at once, and mostly the run with it.
  std::optional<StepRetryPolicy> retry = {};

  // How long a try may take. A body that takes a std::stop_token is asked to stop then; nothing
  // stops one that does not. A try that took longer has failed (code "StepTimeout"), whatever it
  // gives.
  std::optional<Duration> timeout = {};
};

// A step throws this to be tried again although it has no retry policy, or at a time of its own
// choice. It counts as a try: a step without a policy has three after its first one.
class TransientStepError : public Error {
 public:
  explicit TransientStepError(const std::string& what, std::string code = "TransientStepError",
                              std::optional<Duration> retry_after = std::nullopt)
      : Error(what), code_(std::move(code)), retry_after_(retry_after) {}
  const std::string& code() const { return code_; }
  std::optional<Duration> retry_after() const { return retry_after_; }

 private:
  std::string code_;
  std::optional<Duration> retry_after_;
};

// How the library leaves the function of a workflow: the run sleeps or waits, was cancelled or
// paused, has another worker, or its worker stops. It is no std::exception. A function that catches
// it by `catch (...)` throws it on; where it does not, its next call of the RunContext throws
// again.
class RunInterruption {
 public:
  enum class Why : std::uint8_t { kSuspended, kCancelled, kPaused, kStale, kStopping };
  explicit RunInterruption(Why why) : why_(why) {}
  Why why() const { return why_; }

 private:
  Why why_;
};

struct ChildOptions {
  int priority = 5;
  std::optional<Duration> delay = {};
};

// A run that another one has triggered. Valid during that one's execution.
template <typename Output>
class ChildRun;

// One execution of a run. Every call that is recorded counts, in the order of the calls: on a later
// execution it gives what it gave before, without doing anything.
//
// Used by the thread that executes the workflow; the branches of Parallel have contexts of their
// own. Any call may throw RunInterruption. After its execution has ended, and inside of a step,
// calls throw Error.
class RunContext {
 public:
  RunContext(const RunContext&) = delete;
  RunContext& operator=(const RunContext&) = delete;

  // The id of the run, which is that of the message that triggered it.
  std::int64_t id() const;

  // What the run was triggered with. SerializationError where it is not of that type.
  const Json& input() const;
  template <typename T>
  T Input() const {
    return FromJson<T>(input());
  }

  // Calls `body`, as `body()` or `body(std::stop_token)`, and records what it gives; then that is
  // what this call gives in every later execution, and the body never runs again. A body that was
  // running when the process died runs again. What it throws is recorded too: where the step has
  // tries left the run waits for the next one, occupying nothing; otherwise this throws
  // WorkflowError, or RetriesExhaustedError after several tries, now and in every later execution.
  //
  // A name has 1 to 255 bytes of UTF-8. Several calls may have the same name: the first one, the
  // second one, and so on, are steps of their own.
  template <typename F>
  auto Step(std::string_view name, F&& body, const StepOptions& options = {}) {
    const auto call = [&](const std::stop_token& stop) -> decltype(auto) {
      if constexpr (std::is_invocable_v<F&, std::stop_token>) {
        return body(stop);
      } else {
        return body();
      }
    };
    using Result = std::remove_cvref_t<std::invoke_result_t<decltype(call), std::stop_token>>;
    const Json result = RunStep(
        name,
        [&](const std::stop_token& stop) -> Json {
          if constexpr (std::is_void_v<Result>) {
            call(stop);
            return {};
          } else {
            return ToJson<Result>(call(stop));
          }
        },
        options);
    if constexpr (!std::is_void_v<Result>) return FromJson<Result>(result);
  }

  // The same with a transaction: what the body changes in the database and the record of the step
  // are there together or not at all, so that its effects happen exactly once. On SQLite and Turso
  // nothing else is written to the database while the body runs; a call of the same store that
  // writes throws Error there.
  template <typename F>
  auto TransactionStep(std::string_view name, F&& body, const StepOptions& options = {}) {
    using Result = std::remove_cvref_t<std::invoke_result_t<F&, Transaction&>>;
    const Json result = RunTransactionStep(
        name,
        [&](Transaction& transaction) -> Json {
          if constexpr (std::is_void_v<Result>) {
            body(transaction);
            return {};
          } else {
            return ToJson<Result>(body(transaction));
          }
        },
        options);
    if constexpr (!std::is_void_v<Result>) return FromJson<Result>(result);
  }

  // Lets the run sleep. Nothing is held meanwhile: no worker, lease, thread or connection.
  void Sleep(Duration duration);
  void SleepUntil(TimePoint time);

  // The database's clock when the run first came here.
  TimePoint Now();

  // A random UUID (version 4, RFC 9562), always the same one at this place of the run.
  std::string RandomUuid();

  // Waits for an event of this name that was sent to this run by Workflows::SendEvent, also before
  // the run came here. Each event is received once, in the order in which they were sent. Nothing
  // where none has come in time. Nothing is held meanwhile.
  std::optional<Json> WaitForEvent(std::string_view name,
                                   std::optional<Duration> timeout = std::nullopt);

  // Triggers a run of another workflow, once, and gives a handle to await it. It is cancelled with
  // this run.
  template <typename In, typename Out>
  ChildRun<Out> Child(const Workflow<In, Out>& workflow, const std::type_identity_t<In>& input,
                      const ChildOptions& options = {});

  // Runs branches at the same time, each on a thread of its own, and gives what they give. A branch
  // has its own context, whose calls count by themselves. Where one throws, the others are
  // awaited and then the first one's error is thrown. 1 to 64 branches.
  template <typename T>
  std::vector<T> Parallel(std::string_view name,
                          const std::vector<std::function<T(RunContext& branch)>>& branches) {
    std::vector<std::optional<T>> results(branches.size());
    std::vector<std::function<void(RunContext&)>> bodies;
    bodies.reserve(branches.size());
    for (std::size_t i = 0; i < branches.size(); ++i) {
      bodies.push_back([&results, &branches, i](RunContext& branch) {
        results[i].emplace(branches[i](branch));
      });
    }
    RunParallel(name, bodies);
    std::vector<T> values;
    values.reserve(results.size());
    for (auto& result : results) values.push_back(std::move(*result));
    return values;
  }
  void Parallel(std::string_view name,
                const std::vector<std::function<void(RunContext& branch)>>& branches) {
    RunParallel(name, branches);
  }

  // Whether the execution is to end soon, since its worker stops: a long step may ask, and throw
  // TransientStepError to go on elsewhere. May be called inside of a step.
  bool MustStop() const;

 private:
  friend class internal::RunScope;
  template <typename Output>
  friend class ChildRun;

  explicit RunContext(internal::RunScope& scope) : scope_(scope) {}

  Json RunStep(std::string_view name, const std::function<Json(const std::stop_token&)>& body,
               const StepOptions& options);
  Json RunTransactionStep(std::string_view name, const std::function<Json(Transaction&)>& body,
                          const StepOptions& options);
  void RunParallel(std::string_view name,
                   const std::vector<std::function<void(RunContext&)>>& branches);
  internal::ChildStep StartChild(const WorkflowDefinition& workflow, const Json& input,
                                 const ChildOptions& options);
  Json AwaitChild(const internal::ChildStep& step);

  internal::RunScope& scope_;
};

template <typename Output>
class ChildRun {
 public:
  std::int64_t id() const { return step_.child_id; }

  // Waits for the child's end and gives its output; nothing is held meanwhile. WorkflowError where
  // it failed or was cancelled.
  Output Result() const { return FromJson<Output>(run_.AwaitChild(step_)); }

 private:
  friend class RunContext;
  ChildRun(RunContext& run, internal::ChildStep step) : run_(run), step_(std::move(step)) {}

  RunContext& run_;
  internal::ChildStep step_;
};

template <typename In, typename Out>
ChildRun<Out> RunContext::Child(const Workflow<In, Out>& workflow,
                                const std::type_identity_t<In>& input,
                                const ChildOptions& options) {
  return ChildRun<Out>(*this, StartChild(*workflow.definition(), ToJson<In>(input), options));
}

}  // namespace pgqrs

#endif  // PGQRS_RUN_CONTEXT_H_
