// The fixture of the tests of runs below the public interface: a store whose requests are made by
// hand, on every backend.
#ifndef PGQRS_TESTS_WORKFLOW_WORKFLOW_TEST_H_
#define PGQRS_TESTS_WORKFLOW_WORKFLOW_TEST_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "api/store_core.h"
#include "conformance/conformance_test.h"
#include "workflow/jobs.h"
#include "workflow/reads.h"
#include "workflow/request.h"

namespace pgqrs::testing {

using workflow::Outcome;
using workflow::StoredStep;

// The answer of a start.
struct Started {
  workflow::RunRef run;
  std::int64_t epoch = 0;
  Outcome outcome = Outcome::kStale;
  RunStatus status = RunStatus::kQueued;
  std::optional<int> version;
  std::string input;
  std::vector<StoredStep> steps;
};

// A store with one workflow.
class RunStore {
 public:
  explicit RunStore(const Config& config, std::string_view workflow = "flow");
  explicit RunStore(std::shared_ptr<internal::StoreCore> core, std::string_view workflow = "flow");
  RunStore(RunStore&&) = default;
  RunStore& operator=(RunStore&&) = delete;
  ~RunStore();

  internal::StoreCore& core() { return *core_; }
  const std::shared_ptr<const queue::QueueRef>& ref() const { return ref_; }
  // The same store with another workflow.
  RunStore With(std::string_view workflow) { return RunStore(core_, workflow); }

  // Submits a request that `set` fills in. `answer` makes the future's value.
  template <typename RequestT, typename F>
  auto Send(const std::function<void(RequestT&)>& set, F answer) {
    using T = std::invoke_result_t<F, RequestT&>;
    auto call = core_->MakeCall<T, RequestT>(answer);
    set(*call);
    return core_->Submit(std::move(call));
  }

  // Runs `work(connection)` in a transaction, or on a connection that reads.
  template <typename F>
  auto Job(F work) {
    return core_->Write(std::move(work)).Get();
  }
  template <typename F>
  auto Read(F work) {
    return core_->Read(std::move(work)).Get();
  }
  // Runs `work` up to its end.
  template <typename Work>
  Work Steps(Work work) {
    while (Job([&work](driver::Connection& connection) { return work.Step(connection); })) {
    }
    return work;
  }

  std::int64_t Trigger(std::string_view input = "input", std::optional<Duration> delay = {});
  struct Triggered {
    std::int64_t run_id = 0;
    bool is_new = false;
  };
  Future<Triggered> TriggerWithKeyAsync(const std::string& key, std::string_view input = "input");
  Triggered TriggerWithKey(const std::string& key, std::string_view input = "input") {
    return TriggerWithKeyAsync(key, input).Get();
  }
  std::vector<queue::TakenMessage> Take(int count = 1, Duration lease = std::chrono::seconds(30));
  Future<Started> StartAsync(std::int64_t run_id, std::int64_t token);
  Started Start(std::int64_t run_id, std::int64_t token) { return StartAsync(run_id, token).Get(); }
  // Takes a message and starts its run.
  Started TakeAndStart();
  Future<Outcome> RecordAsync(const Started& run, StoredStep step);
  Outcome Record(const Started& run, StoredStep step) {
    return RecordAsync(run, std::move(step)).Get();
  }
  // Gives the payload, or "" without an event.
  std::string Receive(const Started& run, const std::string& event);
  Outcome Suspend(
      const Started& run, const std::function<void(workflow::SuspendRequest&)>& set = [](auto&) {});
  Future<Outcome> FinishAsync(const Started& run, RunStatus status = RunStatus::kSuccess,
                              std::string_view text = "output");
  Outcome Finish(const Started& run, RunStatus status = RunStatus::kSuccess,
                 std::string_view text = "output") {
    return FinishAsync(run, status, text).Get();
  }
  // Gives the id of the child, or 0.
  std::int64_t Child(const Started& run, StoredStep step, const RunStore& workflow);
  void Send(std::int64_t run_id, std::string_view event, std::string_view payload);

  RunInfo Info(std::int64_t run_id);
  RunStatus Status(std::int64_t run_id) { return Info(run_id).status; }
  std::vector<StepInfo> StepsOf(std::int64_t run_id);
  std::int64_t Cancel(std::int64_t run_id) {
    return Steps(workflow::Cancellation(run_id)).cancelled();
  }
  std::vector<std::string> Damage();

 private:
  std::shared_ptr<internal::StoreCore> core_;
  bool owns_ = false;
  std::shared_ptr<const queue::QueueRef> ref_;
  std::shared_ptr<queue::Worker> worker_ = std::make_shared<queue::Worker>();
};

StoredStep StepOf(std::string name, std::optional<Json> output = Json("done"), int position = 0);

class WorkflowTest : public ConformanceTest {
 protected:
  RunStore OpenRuns() { return RunStore(config()); }
};

}  // namespace pgqrs::testing

#endif  // PGQRS_TESTS_WORKFLOW_WORKFLOW_TEST_H_
