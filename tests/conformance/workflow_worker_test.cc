// The worker: leases, stopping, versions, code that does not match.
#include <memory>
#include <optional>
#include <stdexcept>
#include <stop_token>
#include <thread>

#include "conformance/workflow_test.h"

namespace pgqrs::testing {
namespace {

using ::testing::HasSubstr;

class WorkflowWorkers : public WorkflowTest {};
PGQRS_ON_EVERY_BACKEND(WorkflowWorkers);

TEST_P(WorkflowWorkers, ManyRunsAreExecutedAtOnce) {
  Gate gate;
  const OpenAtEnd open(gate);
  const auto workflow =
      DefineWorkflow("many", [&](RunContext& run) { run.Step("meet", [&] { gate.Pass(); }); });
  auto& store = OpenStore();
  WorkflowWorker worker(store, {workflow}, {.concurrency = 4});
  worker.Start();
  std::vector<pgqrs::Run<std::monostate>> runs;
  runs.reserve(6);
  for (int i = 0; i < 6; ++i) runs.push_back(store.Trigger(workflow));
  EXPECT_TRUE(Eventually([&] { return gate.waiting() == 4; }));
  gate.Open();
  for (const auto& run : runs) run.Result(kLongEnough);
}

TEST_P(WorkflowWorkers, AnotherOneTakesOverWhenTheLeaseEndsAndTheOldOneRecordsNothing) {
  if (!IsShared()) GTEST_SKIP() << "a second store cannot open the same database";
  Gate gate;
  const OpenAtEnd open(gate);
  std::atomic<int> bodies = 0;
  std::atomic<bool> old_went_on = false;
  const auto slow = DefineWorkflow("stolen", [&](RunContext& run) {
    run.Step("before", [] {});
    const auto value = run.Step("step", [&] {
      ++bodies;
      gate.Pass();
      return std::string("of the old one");
    });
    old_went_on = true;
    return value;
  });
  const auto quick = DefineWorkflow("stolen", [&](RunContext& run) {
    run.Step("before", [] {});
    return run.Step("step", [&] {
      ++bodies;
      return std::string("of the new one");
    });
  });
  auto& store = OpenStore();
  auto other = Open();
  WorkflowWorker old_worker(store, {slow}, {.lease = hours(1)});
  old_worker.Start();
  const auto run = store.Trigger(slow);
  ASSERT_TRUE(Eventually([&] { return gate.waiting() == 1; }));
  // As if the process had been suspended: its lease is not extended any more by this clock.
  Advance(hours(2));
  WorkflowWorker new_worker(other, {quick}, {.lease = hours(10)});
  new_worker.Start();
  EXPECT_EQ(run.Result(kLongEnough), "of the new one");
  gate.Open();
  EXPECT_TRUE(old_worker.Stop(kLongEnough));
  EXPECT_FALSE(old_went_on);
  EXPECT_EQ(run.Result(kLongEnough), "of the new one");
  EXPECT_EQ(bodies, 2);
  EXPECT_EQ(run.Info().epoch, 2);
}

TEST_P(WorkflowWorkers, OneThatStopsGivesItsRunsBackAtOnce) {
  Gate gate;
  const OpenAtEnd open(gate);
  std::atomic<int> first = 0;
  const auto workflow = DefineWorkflow("moved", [&](RunContext& run) {
    run.Step("first", [&] {
      ++first;
      gate.Pass();
    });
    return run.Step("second", [&] { return first.load(); });
  });
  auto& store = OpenStore();
  const auto run = store.Trigger(workflow);
  {
    WorkflowWorker worker(store, {workflow});
    worker.Start();
    ASSERT_TRUE(Eventually([&] { return gate.waiting() == 1; }));
    worker.RequestStop();
    gate.Open();
    EXPECT_TRUE(worker.Stop(kLongEnough));
    EXPECT_EQ(worker.counts().suspended, 1U);
  }
  const auto message = store.FindMessage(run.id()).value();
  EXPECT_EQ(message.state, MessageState::kWaiting);
  EXPECT_EQ(message.read_count, 0);
  WorkflowWorker worker(store, {workflow});
  worker.Start();
  EXPECT_EQ(run.Result(kLongEnough), 1);
}

// In whichever order they are stopped.
TEST_P(WorkflowWorkers, OneThatIsDestroyedTakesNoRunsWhileOneFinishes) {
  std::atomic<bool> has_begun = false;
  std::atomic<bool> is_to_stop = false;
  std::atomic<bool> may_end = false;
  const auto slow = DefineWorkflow("slow", [&](RunContext& run) {
    run.Step("step", [&] {
      has_begun = true;
      while (!run.MustStop()) std::this_thread::yield();
      is_to_stop = true;
      while (!may_end) std::this_thread::yield();
    });
  });
  const auto quick = DefineWorkflow("quick", [](RunContext& /*run*/) {});
  auto& store = OpenStore();
  for (const auto& workflows : {std::vector<AnyWorkflow>{slow, quick}, {quick, slow}}) {
    auto worker = std::make_unique<WorkflowWorker>(store, workflows);
    worker->Start();
    store.Trigger(slow);
    ASSERT_TRUE(Eventually([&] { return has_begun.load(); }));
    std::thread destroying([&] { worker.reset(); });
    EXPECT_TRUE(Eventually([&] { return is_to_stop.load(); }));
    std::optional<pgqrs::Run<std::monostate>> last;
    for (int i = 0; i < 20; ++i) {
      last = store.Trigger(quick);
      std::this_thread::sleep_for(milliseconds(1));
    }
    EXPECT_EQ(last->Status(), RunStatus::kQueued);
    may_end = true;
    destroying.join();
    has_begun = is_to_stop = may_end = false;
  }
}

TEST_P(WorkflowWorkers, WhatIsThrownNeedNotBeAnException) {
  const auto workflow = DefineWorkflow("odd", [](RunContext& run) {
    run.Step("step", []() -> int { throw 42; });  // NOLINT(hicpp-exception-baseclass)
  });
  auto& store = OpenStore();
  WorkflowWorker worker(store, {workflow});
  worker.Start();
  try {
    store.Trigger(workflow).Result(kLongEnough);
    FAIL() << "the run has a result";
  } catch (const WorkflowError& error) {
    EXPECT_EQ(error.code(), "int");
  }
}

TEST_P(WorkflowWorkers, AnErrorWhoseTextIsNoTextIsKeptAllTheSame) {
  const auto workflow = DefineWorkflow("garbled", [](RunContext& run) {
    run.Step("step", []() -> int { throw std::runtime_error("caf\xe9 \xff"); });
  });
  auto& store = OpenStore();
  WorkflowWorker worker(store, {workflow});
  worker.Start();
  EXPECT_THAT(MessageOf<WorkflowError>([&] { store.Trigger(workflow).Result(kLongEnough); }),
              HasSubstr("caf?"));
}

TEST_P(WorkflowWorkers, AFunctionThatSwallowsAnInterruptionIsInterruptedAgain) {
  std::atomic<int> executions = 0;
  const auto workflow = DefineWorkflow("stubborn", [&](RunContext& run) {
    ++executions;
    try {
      run.Sleep(minutes(1));
    } catch (...) {  // NOLINT(bugprone-empty-catch)
    }
    return run.Step("next", [] { return 5; });
  });
  auto& store = OpenStore();
  WorkflowWorker worker(store, {workflow});
  worker.Start();
  const auto run = store.Trigger(workflow);
  ASSERT_TRUE(ComesToRest(run));
  EXPECT_THAT(StepsOf(run), SizeIs(1)) << "the step behind it has run";
  Advance(minutes(1));
  EXPECT_EQ(run.Result(kLongEnough), 5);
  EXPECT_EQ(executions, 2);
}

// ---- Versions

TEST_P(WorkflowWorkers, ARunGoesOnWithTheVersionThatItBeganWith) {
  const auto define = [](int version) {
    return DefineWorkflow("versioned", version, [version](RunContext& run) {
      run.Step("step of " + std::to_string(version), [] {});
      run.Sleep(minutes(1));
      return version;
    });
  };
  auto& store = OpenStore();
  pgqrs::Run<int> old_run(RunHandle(nullptr, 0));
  {
    WorkflowWorker worker(store, {define(1)});
    worker.Start();
    old_run = store.Trigger(define(1));
    ASSERT_TRUE(ComesToRest(old_run));
  }
  WorkflowWorker worker(store, {define(1), define(2)});
  worker.Start();
  const auto new_run = store.Trigger(define(2));
  ASSERT_TRUE(ComesToRest(new_run));
  const pgqrs::Run<int> newest(store.Workflows().Trigger("versioned", Json()));
  ASSERT_TRUE(ComesToRest(newest));
  Advance(minutes(1));
  EXPECT_EQ(old_run.Result(kLongEnough), 1);
  EXPECT_EQ(new_run.Result(kLongEnough), 2);
  EXPECT_EQ(newest.Result(kLongEnough), 2);
}

TEST_P(WorkflowWorkers, ARunWaitsForAWorkerThatHasItsVersion) {
  const auto old_code = DefineWorkflow("versioned", 1, [](RunContext&) { return 1; });
  const auto new_code = DefineWorkflow("versioned", 2, [](RunContext&) { return 2; });
  auto& store = OpenStore();
  const auto run = store.Trigger(new_code);
  {
    WorkflowWorker worker(store, {old_code});
    worker.Start();
    ASSERT_TRUE(Eventually([&] { return worker.counts().suspended == 1; }));
  }
  WorkflowWorker worker(store, {new_code});
  worker.Start();
  Advance(minutes(1));
  EXPECT_EQ(run.Result(kLongEnough), 2);
}

class ChangedCode : public WorkflowTest {
 protected:
  // Lets a run get behind steps "a" and "b", and go on with other code.
  template <typename F>
  void GoOnWith(F changed, std::string_view named_in_error) {
    ReplaceCode(
        [](RunContext& run) {
          const int a = run.Step("a", [] { return 1; });
          const int b = run.Step("b", [] { return 2; });
          run.Sleep(minutes(1));
          return a + b;
        },
        changed, named_in_error);
  }

  // The same with two branches, of which the second one waits.
  template <typename F>
  void GoOnFromBranchesWith(F changed, std::string_view named_in_error) {
    ReplaceCode(
        [](RunContext& run) {
          const auto numbers = run.Parallel<int>("both", {One, OneAndSleep});
          return numbers[0] + numbers[1] + run.Step("b", [] { return 1; });
        },
        changed, named_in_error);
  }
  static int One(RunContext& branch) {
    return branch.Step("a", [] { return 1; });
  }
  static int OneAndSleep(RunContext& branch) {
    const int one = One(branch);
    branch.Sleep(minutes(1));
    return one;
  }

 private:
  // The right code gives 3.
  template <typename R, typename F>
  void ReplaceCode(R code, F changed, std::string_view named_in_error) {
    const auto right = DefineWorkflow("changed", code);
    auto& store = OpenStore();
    pgqrs::Run<int> run(RunHandle(nullptr, 0));
    {
      WorkflowWorker worker(store, {right});
      worker.Start();
      run = store.Trigger(right);
      ASSERT_TRUE(ComesToRest(run));
    }
    {
      WorkflowWorker worker(store, {DefineWorkflow("changed", changed)});
      worker.Start();
      Advance(minutes(1));
      ASSERT_TRUE(Becomes(run, RunStatus::kPaused));
      const auto error = run.Info().error.value().text();
      EXPECT_THAT(error, HasSubstr("NonDeterminismError"));
      EXPECT_THAT(error, HasSubstr(std::string(named_in_error)));
    }
    WorkflowWorker worker(store, {right});
    worker.Start();
    run.Resume();
    EXPECT_EQ(run.Result(kLongEnough), 3);
  }
};
PGQRS_ON_EVERY_BACKEND(ChangedCode);

TEST_P(ChangedCode, WithAStepMissingDoesNotHarmTheRun) {
  GoOnWith(
      [](RunContext& run) {
        run.Step("b", [] { return 2; });
        return 0;
      },
      "\\\"a\\\"");
}

TEST_P(ChangedCode, InAnotherOrderDoesNotHarmTheRun) {
  GoOnWith(
      [](RunContext& run) {
        run.Step("b", [] { return 2; });
        run.Step("a", [] { return 1; });
        run.Sleep(minutes(1));
        return 0;
      },
      "\\\"b\\\"");
}

TEST_P(ChangedCode, WithOneStepMoreDoesNotHarmTheRun) {
  std::atomic<bool> ran = false;
  GoOnWith(
      [&](RunContext& run) {
        run.Step("a", [] { return 1; });
        run.Step("new", [&] { ran = true; });
        run.Step("b", [] { return 2; });
        run.Sleep(minutes(1));
        return 0;
      },
      "\\\"new\\\"");
  EXPECT_FALSE(ran);
}

TEST_P(ChangedCode, ThatHandlesTheErrorDoesNothingMore) {
  std::atomic<bool> ran = false;
  GoOnWith(
      [&](RunContext& run) {
        run.Step("a", [] { return 1; });
        try {
          run.Step("new", [] {});
        } catch (const std::exception&) {
          run.Step("undo", [&] { ran = true; });
          throw;
        }
        return 0;
      },
      "\\\"new\\\"");
  EXPECT_FALSE(ran);
}

TEST_P(ChangedCode, ThatEndsTooSoonDoesNotHarmTheRun) {
  GoOnWith(
      [](RunContext& run) {
        run.Step("a", [] { return 1; });
        return 0;
      },
      "was not called");
}

TEST_P(ChangedCode, WithAnotherKindOfStepDoesNotHarmTheRun) {
  GoOnWith(
      [](RunContext& run) {
        run.Step("a", [] { return 1; });
        run.WaitForEvent("b");
        return 0;
      },
      "recorded as a Step");
}

TEST_P(ChangedCode, WithBranchesOfAnotherNameDoesNotHarmTheRun) {
  std::atomic<bool> ran = false;
  GoOnFromBranchesWith(
      [&](RunContext& run) {
        const auto branch = [&](RunContext& context) {
          return context.Step("a", [&] {
            ran = true;
            return 0;
          });
        };
        run.Parallel<int>("others", {branch, branch});
        return 0;
      },
      "\\\"both\\\"");
  EXPECT_FALSE(ran);
}

TEST_P(ChangedCode, WithFewerBranchesDoesNotHarmTheRun) {
  GoOnFromBranchesWith([](RunContext& run) { return run.Parallel<int>("both", {One})[0]; },
                       "with 1 branches, and is recorded with 2");
}

TEST_P(ChangedCode, WhoseBranchEndsTooSoonDoesNotHarmTheRun) {
  GoOnFromBranchesWith(
      [](RunContext& run) {
        return run.Parallel<int>("both", {One, One})[0];
      },
      "both[1]/sleep");
}

// ---- No room

TEST_P(WorkflowWorkers, ResultsComeThoughTheStoreHasNoRoomForMoreRequests) {
  config().max_pending_requests = 4;
  const auto workflow = DefineWorkflow("short", [](RunContext&, int number) { return number; });
  auto& store = OpenStore();
  auto noise = store.Queue("noise");
  WorkflowWorker worker(store, {workflow}, {.concurrency = 2});
  worker.Start();
  std::vector<std::jthread> producers;
  producers.reserve(8);
  for (int i = 0; i < 8; ++i) {
    producers.emplace_back([&](const std::stop_token& stop) {
      while (!stop.stop_requested()) noise.Enqueue("noise");
    });
  }
  for (int i = 0; i < 20; ++i) EXPECT_EQ(store.Trigger(workflow, i).Result(kLongEnough), i);
}

// ---- Arguments

TEST_P(WorkflowWorkers, WhatHasNoMeaningIsRefused) {
  const auto workflow = DefineWorkflow("fine", [](RunContext&) {});
  auto& store = OpenStore();
  EXPECT_THROW(WorkflowWorker(store, {}), ValidationError);
  EXPECT_THROW(WorkflowWorker(store, {workflow, workflow}), ValidationError);
  EXPECT_THROW(WorkflowWorker(store, {workflow}, {.concurrency = 0}), ValidationError);
  EXPECT_THROW(WorkflowWorker(store, {workflow}, {.lease = Duration::zero()}), ValidationError);
  EXPECT_THROW(DefineWorkflow("", [](RunContext&) {}), ValidationError);
  EXPECT_THROW(DefineWorkflow("zero", 0, [](RunContext&) {}), ValidationError);
  EXPECT_THROW(store.Trigger(workflow, {}, {.priority = 10}), ValidationError);
  EXPECT_THROW(store.Trigger(workflow, {}, {.delay = seconds(-1)}), ValidationError);
  EXPECT_THROW(store.Trigger(workflow, {}, {.idempotency_key = std::string(256, 'k')}),
               ValidationError);
}

TEST_P(WorkflowWorkers, StepsOfNoNameOrPolicyAreRefusedInTheRun) {
  std::vector<std::string> errors;
  const auto workflow = DefineWorkflow("wrong", [&](RunContext& run) {
    errors.push_back(MessageOf<ValidationError>([&] { run.Step("", [] {}); }));
    errors.push_back(MessageOf<ValidationError>([&] { run.Step(std::string(256, 's'), [] {}); }));
    errors.push_back(MessageOf<ValidationError>(
        [&] { run.Step("s", [] {}, {.retry = StepRetryPolicy{.max_attempts = 0}}); }));
    errors.push_back(MessageOf<ValidationError>([&] { run.Sleep(seconds(-1)); }));
    errors.push_back(MessageOf<ValidationError>(
        [&] { run.Parallel("p", std::vector<std::function<void(RunContext&)>>()); }));
    errors.push_back(MessageOf<WorkflowError>(
        [&] { run.Step("nan", [] { return std::numeric_limits<double>::quiet_NaN(); }); }));
  });
  auto& store = OpenStore();
  WorkflowWorker worker(store, {workflow});
  worker.Start();
  store.Trigger(workflow).Result(kLongEnough);
  EXPECT_THAT(errors, ::testing::ElementsAre(HasSubstr("name"), HasSubstr("name"),
                                             HasSubstr("max_attempts"), HasSubstr("duration"),
                                             HasSubstr("branches"), HasSubstr("not finite")));
}

}  // namespace
}  // namespace pgqrs::testing
