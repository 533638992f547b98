// Steps: recorded once, replayed, retried.
#include <stdexcept>
#include <thread>
#include <tuple>

#include "conformance/workflow_test.h"

namespace pgqrs::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

class WorkflowSteps : public WorkflowTest {
 protected:
  // What a run of the workflow fails with.
  template <typename W>
  std::string ErrorOf(const W& workflow) {
    auto& store = OpenStore();
    WorkflowWorker worker(store, {workflow});
    worker.Start();
    return MessageOf<WorkflowError>([&] { store.Trigger(workflow).Result(kLongEnough); });
  }
};
PGQRS_ON_EVERY_BACKEND(WorkflowSteps);

TEST_P(WorkflowSteps, ARunGivesWhatItsFunctionGives) {
  const auto add = DefineWorkflow("add", [](RunContext& run, const std::pair<int, int>& numbers) {
    return run.Step("sum", [&] { return numbers.first + numbers.second; });
  });
  auto& store = OpenStore();
  WorkflowWorker worker(store, {add});
  worker.Start();
  const auto run = store.Trigger(add, {40, 2});
  EXPECT_EQ(run.Result(kLongEnough), 42);
  const auto info = run.Info();
  EXPECT_EQ(info.status, RunStatus::kSuccess);
  EXPECT_THAT(info.input, IsJson("[40,2]"));
  EXPECT_EQ(info.output.value().text(), "42");
  EXPECT_EQ(info.workflow_name, "add");
  EXPECT_EQ(info.version, 1);
  EXPECT_TRUE(info.finished_at);
  EXPECT_EQ(store.FindMessage(run.id())->state, MessageState::kArchived);
  ASSERT_THAT(StepsOf(run), SizeIs(1));
  EXPECT_EQ(StepsOf(run)[0].name, "sum");
  EXPECT_EQ(StepsOf(run)[0].status, StepStatus::kSuccess);
  EXPECT_EQ(StepsOf(run)[0].output.value().text(), "42");
  EXPECT_TRUE(Eventually([&] { return worker.counts().succeeded == 1; }));
}

TEST_P(WorkflowSteps, AWorkflowMayHaveNeitherInputNorOutputNorSteps) {
  std::atomic<int> calls = 0;
  const auto empty = DefineWorkflow("empty", [&](RunContext&) { ++calls; });
  auto& store = OpenStore();
  WorkflowWorker worker(store, {empty});
  worker.Start();
  store.Trigger(empty).Result(kLongEnough);
  EXPECT_EQ(calls, 1);
}

TEST_P(WorkflowSteps, AFinishedStepNeverRunsAgain) {
  std::atomic<int> first = 0;
  std::atomic<int> second = 0;
  std::atomic<int> executions = 0;
  const auto workflow = DefineWorkflow("replayed", [&](RunContext& run) {
    ++executions;
    const int a = run.Step("first", [&] { return ++first; });
    run.Sleep(minutes(1));
    const int b = run.Step("second", [&] { return ++second * 10; });
    run.Sleep(minutes(1));
    return a + b;
  });
  auto& store = OpenStore();
  WorkflowWorker worker(store, {workflow});
  worker.Start();
  const auto run = store.Trigger(workflow);
  for (int i = 1; i <= 2; ++i) {
    ASSERT_TRUE(Eventually([&] { return executions == i; }));
    ASSERT_TRUE(ComesToRest(run));
    Advance(minutes(1));
  }
  EXPECT_EQ(run.Result(kLongEnough), 11);
  EXPECT_EQ(executions, 3);
  EXPECT_EQ(first, 1);
  EXPECT_EQ(second, 1);
}

TEST_P(WorkflowSteps, ACallOfTheSameNameIsAFurtherStep) {
  const auto workflow = DefineWorkflow("ordinals", [](RunContext& run) {
    std::vector<int> values;
    values.reserve(5);
    for (int i = 0; i < 3; ++i) values.push_back(run.Step("step", [i] { return i; }));
    run.Sleep(seconds(1));
    for (int i = 3; i < 5; ++i) values.push_back(run.Step("step", [i] { return i; }));
    return values;
  });
  auto& store = OpenStore();
  WorkflowWorker worker(store, {workflow});
  worker.Start();
  const auto run = store.Trigger(workflow);
  ASSERT_TRUE(ComesToRest(run));
  Advance(seconds(1));
  EXPECT_THAT(run.Result(kLongEnough), ElementsAre(0, 1, 2, 3, 4));
  std::vector<std::tuple<std::string, int, int>> steps;
  for (const auto& step : StepsOf(run)) {
    steps.emplace_back(step.name, step.ordinal, step.position);
  }
  EXPECT_THAT(steps, UnorderedElementsAre(std::tuple("step", 0, 0), std::tuple("step", 1, 1),
                                          std::tuple("step", 2, 2), std::tuple("sleep", 0, 3),
                                          std::tuple("step", 3, 4), std::tuple("step", 4, 5)));
}

TEST_P(WorkflowSteps, AStepThatThrowsFailsTheRunWithItsError) {
  const auto workflow = DefineWorkflow("failing", [](RunContext& run) {
    run.Step("good", [] {});
    run.Step("bad", []() -> int { throw std::out_of_range("too far"); });
  });
  auto& store = OpenStore();
  WorkflowWorker worker(store, {workflow});
  worker.Start();
  const auto run = store.Trigger(workflow);
  try {
    run.Result(kLongEnough);
    FAIL() << "the run has a result";
  } catch (const WorkflowError& error) {
    EXPECT_THAT(error.what(), HasSubstr("too far"));
    EXPECT_EQ(error.code(), "std::out_of_range");
    EXPECT_EQ(error.step(), "bad");
  }
  EXPECT_EQ(run.Status(), RunStatus::kError);
  EXPECT_TRUE(Eventually([&] { return worker.counts().failed == 1; }));
  EXPECT_EQ(store.FindMessage(run.id())->state, MessageState::kArchived);
}

TEST_P(WorkflowSteps, AFunctionMayGoOnAfterAStepHasFailed) {
  std::atomic<int> tries = 0;
  const auto workflow = DefineWorkflow("careful", [&](RunContext& run) {
    std::string text;
    try {
      run.Step("bad", [&]() -> int {
        ++tries;
        throw std::runtime_error("no luck");
      });
    } catch (const WorkflowError& error) {
      text = error.what();
    }
    run.Sleep(seconds(1));
    return text;
  });
  auto& store = OpenStore();
  WorkflowWorker worker(store, {workflow});
  worker.Start();
  const auto run = store.Trigger(workflow);
  ASSERT_TRUE(ComesToRest(run));
  Advance(seconds(1));
  EXPECT_THAT(run.Result(kLongEnough), HasSubstr("no luck"));
  EXPECT_EQ(tries, 1) << "a step that failed for good does not run again either";
}

TEST_P(WorkflowSteps, AStepIsTriedAgainLaterAndOccupiesNoWorkerMeanwhile) {
  std::atomic<int> tries = 0;
  const auto flaky = DefineWorkflow("flaky", [&](RunContext& run) {
    return run.Step(
        "step",
        [&] {
          if (++tries < 4) throw std::runtime_error("try " + std::to_string(tries));
          return tries.load();
        },
        {.retry = StepRetryPolicy{.max_attempts = 4,
                                  .backoff = Backoff::Exponential(seconds(10), seconds(25))}});
  });
  const auto other = DefineWorkflow("other", [](RunContext&) { return 1; });
  auto& store = OpenStore();
  WorkflowWorker worker(store, {flaky, other});
  worker.Start();
  const auto run = store.Trigger(flaky);
  int failures = 0;
  for (const auto delay : {seconds(10), seconds(20), seconds(25)}) {
    ++failures;
    ASSERT_TRUE(Eventually([&] { return tries == failures; }));
    ASSERT_TRUE(ComesToRest(run));
    EXPECT_EQ(store.FindMessage(run.id())->visible_at, clock().Now() + delay);
    const auto step = StepsOf(run).at(0);
    EXPECT_EQ(step.status, StepStatus::kError);
    EXPECT_EQ(step.attempts, failures);
    EXPECT_EQ(step.retry_at, clock().Now() + delay);
    EXPECT_EQ(store.Trigger(other).Result(kLongEnough), 1);
    Advance(delay);
  }
  EXPECT_EQ(run.Result(kLongEnough), 4);
  EXPECT_EQ(StepsOf(run).at(0).attempts, 4);
  EXPECT_EQ(StepsOf(run).at(0).status, StepStatus::kSuccess);
}

TEST_P(WorkflowSteps, TriesComeToAnEnd) {
  const auto workflow = DefineWorkflow("hopeless", [](RunContext& run) {
    run.Step("step", []() -> int { throw std::runtime_error("never"); },
             {.retry = StepRetryPolicy{.max_attempts = 3, .backoff = Backoff::Fixed(seconds(0))}});
  });
  auto& store = OpenStore();
  WorkflowWorker worker(store, {workflow});
  worker.Start();
  const auto run = store.Trigger(workflow);
  EXPECT_THAT(MessageOf<WorkflowError>([&] { run.Result(kLongEnough); }),
              HasSubstr("failed 3 times: never"));
  EXPECT_EQ(StepsOf(run).at(0).attempts, 3);
}

TEST_P(WorkflowSteps, AStepMayAskForAnotherTryAtATimeOfItsChoice) {
  std::atomic<int> tries = 0;
  const auto workflow = DefineWorkflow("transient", [&](RunContext& run) {
    return run.Step("step", [&] {
      if (++tries == 1) throw TransientStepError("busy", "BUSY", minutes(7));
      return tries.load();
    });
  });
  auto& store = OpenStore();
  WorkflowWorker worker(store, {workflow});
  worker.Start();
  const auto run = store.Trigger(workflow);
  ASSERT_TRUE(ComesToRest(run));
  const auto step = StepsOf(run).at(0);
  EXPECT_EQ(step.retry_at, clock().Now() + minutes(7));
  EXPECT_THAT(step.error.value().text(), HasSubstr("BUSY"));
  Advance(minutes(7));
  EXPECT_EQ(run.Result(kLongEnough), 2);
}

TEST_P(WorkflowSteps, AStepThatTakesTooLongIsAskedToStopAndHasFailed) {
  const auto workflow = DefineWorkflow("slow", [](RunContext& run) {
    return run.Step("step",
                    [](const std::stop_token& stop) {
                      while (!stop.stop_requested()) std::this_thread::sleep_for(milliseconds(1));
                      return 1;
                    },
                    {.timeout = milliseconds(5)});
  });
  auto& store = OpenStore();
  WorkflowWorker worker(store, {workflow});
  worker.Start();
  try {
    store.Trigger(workflow).Result(kLongEnough);
    FAIL() << "the run has a result";
  } catch (const WorkflowError& error) {
    EXPECT_EQ(error.code(), "StepTimeout");
  }
}

TEST_P(WorkflowSteps, TimeAndRandomValuesAreThoseOfTheFirstExecution) {
  std::vector<std::pair<TimePoint, std::string>> seen;
  std::mutex mutex;
  const auto workflow = DefineWorkflow("recorded", [&](RunContext& run) {
    const auto now = run.Now();
    const auto uuid = run.RandomUuid();
    EXPECT_NE(uuid, run.RandomUuid());
    {
      const std::lock_guard lock(mutex);
      seen.emplace_back(now, uuid);
    }
    run.Sleep(minutes(1));
  });
  auto& store = OpenStore();
  const auto begin = clock().Now();
  WorkflowWorker worker(store, {workflow});
  worker.Start();
  const auto run = store.Trigger(workflow);
  ASSERT_TRUE(ComesToRest(run));
  Advance(minutes(1));
  run.Result(kLongEnough);
  ASSERT_THAT(seen, SizeIs(2));
  EXPECT_EQ(seen[0], seen[1]);
  EXPECT_EQ(seen[0].first, begin);
  EXPECT_THAT(seen[0].second,
              ::testing::MatchesRegex("[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-"
                                      "[0-9a-f]{12}"));
}

TEST_P(WorkflowSteps, BranchesRunAtTheSameTimeAndHaveStepsOfTheirOwn) {
  Gate gate;
  const OpenAtEnd open(gate);
  std::atomic<int> bodies = 0;
  const auto workflow = DefineWorkflow("parallel", [&](RunContext& run) {
    std::vector<std::function<int(RunContext&)>> branches;
    branches.reserve(3);
    for (int i = 0; i < 3; ++i) {
      branches.emplace_back([&, i](RunContext& branch) {
        branch.Step("meet", [&] { gate.Pass(); });
        branch.Sleep(seconds(i));
        return branch.Step("value", [&] {
          ++bodies;
          return i;
        });
      });
    }
    return run.Parallel("all", branches);
  });
  auto& store = OpenStore();
  WorkflowWorker worker(store, {workflow});
  worker.Start();
  const auto run = store.Trigger(workflow);
  ASSERT_TRUE(Eventually([&] { return gate.waiting() == 3; }));
  gate.Open();
  ASSERT_TRUE(ComesToRest(run));
  Advance(seconds(1));
  ASSERT_TRUE(Eventually([&] { return bodies == 2; }));
  ASSERT_TRUE(ComesToRest(run));
  Advance(seconds(1));
  EXPECT_THAT(run.Result(kLongEnough), ElementsAre(0, 1, 2));
  EXPECT_EQ(bodies, 3);
}

TEST_P(WorkflowSteps, AnErrorOfABranchComesOutBehindTheOthers) {
  std::atomic<int> ended = 0;
  const auto workflow = DefineWorkflow("parallel", [&](RunContext& run) {
    run.Parallel("all", {[](RunContext& branch) {
                           branch.Step("bad", []() -> int { throw std::runtime_error("bad"); });
                         },
                         [&](RunContext& branch) { branch.Step("good", [&] { ++ended; }); }});
  });
  auto& store = OpenStore();
  WorkflowWorker worker(store, {workflow});
  worker.Start();
  try {
    store.Trigger(workflow).Result(kLongEnough);
    FAIL() << "the run has a result";
  } catch (const WorkflowError& error) {
    EXPECT_EQ(error.step(), "all[0]/bad");
  }
  EXPECT_EQ(ended, 1);
}

TEST_P(WorkflowSteps, ABranchUsesItsOwnContext) {
  const auto workflow = DefineWorkflow("slip", [](RunContext& run) {
    run.Parallel("all", {[&](RunContext&) { run.Step("outer", [] {}); }});
  });
  EXPECT_THAT(ErrorOf(workflow), HasSubstr("within its Parallel"));
}

TEST_P(WorkflowSteps, AnotherThreadHasNoSteps) {
  const auto workflow = DefineWorkflow("threads", [](RunContext& run) {
    std::exception_ptr error;
    std::thread([&] {
      try {
        run.Step("elsewhere", [] {});
      } catch (...) {
        error = std::current_exception();
      }
    }).join();
    if (error) std::rethrow_exception(error);
  });
  EXPECT_THAT(ErrorOf(workflow), HasSubstr("another thread"));
}

TEST_P(WorkflowSteps, AStepHasNoSteps) {
  const auto workflow = DefineWorkflow(
      "nested", [](RunContext& run) { run.Step("outer", [&] { run.Step("inner", [] {}); }); });
  EXPECT_THAT(ErrorOf(workflow), HasSubstr("inside of a step"));
}

TEST_P(WorkflowSteps, ManyStepsAreReplayed) {
  constexpr int kSteps = 1000;
  std::atomic<int> bodies = 0;
  const auto workflow = DefineWorkflow("long", [&](RunContext& run) {
    int sum = 0;
    for (int i = 0; i < kSteps; ++i) {
      sum += run.Step("step", [&] {
        ++bodies;
        return i;
      });
      if (i == kSteps / 2) run.Sleep(seconds(1));
    }
    return sum;
  });
  auto& store = OpenStore();
  WorkflowWorker worker(store, {workflow});
  worker.Start();
  const auto run = store.Trigger(workflow);
  ASSERT_TRUE(ComesToRest(run));
  Advance(seconds(1));
  EXPECT_EQ(run.Result(kLongEnough), kSteps * (kSteps - 1) / 2);
  EXPECT_EQ(bodies, kSteps);
}

}  // namespace
}  // namespace pgqrs::testing
