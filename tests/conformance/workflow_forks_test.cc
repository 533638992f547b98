// Forks and retries of runs that have done more than plain steps.
#include <stdexcept>

#include "conformance/workflow_test.h"

namespace pgqrs::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class WorkflowForks : public WorkflowTest {};
PGQRS_ON_EVERY_BACKEND(WorkflowForks);

TEST_P(WorkflowForks, ASleepThatIsOverIsOverInAForkToo) {
  std::atomic<int> calls = 0;
  const auto workflow = DefineWorkflow("slept", [&](RunContext& run) {
    run.Sleep(hours(1));
    return run.Step("behind", [&] { return ++calls; });
  });
  auto& store = OpenStore();
  WorkflowWorker worker(store, {workflow});
  worker.Start();
  const auto run = store.Trigger(workflow);
  ASSERT_TRUE(ComesToRest(run));
  Advance(hours(1));
  EXPECT_EQ(run.Result(kLongEnough), 1);
  const pgqrs::Run<int> fork(store.Workflows().Fork(run.id(), "behind"));
  EXPECT_EQ(fork.Result(kLongEnough), 2);
}

class ForkedBranches : public WorkflowForks {
 protected:
  // "first", branches with two steps each, "last": each call gives the next number.
  auto Define() {
    return DefineWorkflow("branched", [this](RunContext& run) {
      std::vector<int> numbers;
      const auto next = [this] { return ++calls_; };
      numbers.push_back(run.Step("first", next));
      using Branch = std::function<int(RunContext&)>;
      const auto branch = [&](RunContext& part) { return part.Step("one", next); };
      for (const int number : run.Parallel<int>("both", std::vector<Branch>{branch})) {
        numbers.push_back(number);
      }
      numbers.push_back(run.Step("middle", next));
      for (const int number : run.Parallel<int>("more", std::vector<Branch>{branch})) {
        numbers.push_back(number);
      }
      numbers.push_back(run.Step("last", next));
      return numbers;
    });
  }

  // What the forks from each step of a run give that gave 1, 2, 3, 4, 5.
  void ExpectFork(std::string_view step, const std::vector<int>& numbers) {
    auto& store = OpenStore();
    const auto workflow = Define();
    WorkflowWorker worker(store, {workflow});
    worker.Start();
    const auto run = store.Trigger(workflow);
    EXPECT_THAT(run.Result(kLongEnough), ElementsAre(1, 2, 3, 4, 5));
    const pgqrs::Run<std::vector<int>> fork(store.Workflows().Fork(run.id(), step));
    EXPECT_EQ(fork.Result(kLongEnough), numbers);
    // And of the fork, whose steps are copies.
    const pgqrs::Run<std::vector<int>> again(store.Workflows().Fork(fork.id(), "last"));
    EXPECT_THAT(again.Result(kLongEnough), Not(ElementsAre(numbers[0], 0, 0, 0, 0)));
    EXPECT_EQ(again.Result(kLongEnough)[3], numbers[3]);
  }

 private:
  std::atomic<int> calls_ = 0;
};
PGQRS_ON_EVERY_BACKEND(ForkedBranches);

TEST_P(ForkedBranches, BeforeABranchHaveNothingOfIt) { ExpectFork("first", {6, 7, 8, 9, 10}); }
TEST_P(ForkedBranches, WithinABranchKeepWhatCameBefore) {
  ExpectFork("both[0]/one", {1, 6, 7, 8, 9});
}
TEST_P(ForkedBranches, BetweenBranchesKeepTheFirstOnly) { ExpectFork("middle", {1, 2, 6, 7, 8}); }
TEST_P(ForkedBranches, BehindBranchesKeepThemAll) { ExpectFork("last", {1, 2, 3, 4, 6}); }

TEST_P(WorkflowForks, AForkWithoutAStepKeepsEverythingButWhatFailed) {
  std::atomic<int> calls = 0;
  const auto child = DefineWorkflow("child", [&](RunContext&) { return ++calls; });
  const auto workflow = DefineWorkflow("whole", [&](RunContext& run) {
    const int of_child = run.Child(child, {}).Result();
    const auto uuid = run.RandomUuid();
    const auto event = run.WaitForEvent("never", milliseconds(1));
    return std::to_string(of_child) + uuid + (event ? "event" : "none");
  });
  auto& store = OpenStore();
  WorkflowWorker worker(store, {workflow, child});
  worker.Start();
  const auto run = store.Trigger(workflow);
  ASSERT_TRUE(Eventually([&] {
    Advance(milliseconds(1));
    return IsFinished(run.Status());
  }));
  const auto text = run.Result(kLongEnough);
  const pgqrs::Run<std::string> fork(store.Workflows().Fork(run.id()));
  EXPECT_EQ(fork.Result(kLongEnough), text);
  EXPECT_EQ(calls, 1);
}

TEST_P(WorkflowForks, AForkMayGoOnWithAnotherVersion) {
  const auto define = [](int version) {
    return DefineWorkflow("versioned", version, [version](RunContext& run) {
      const int same = run.Step("same", [&] { return version; });
      return same * 100 + run.Step("of " + std::to_string(version), [&] { return version; });
    });
  };
  auto& store = OpenStore();
  WorkflowWorker worker(store, {define(1), define(2)});
  worker.Start();
  const auto run = store.Trigger(define(1));
  EXPECT_EQ(run.Result(kLongEnough), 101);
  const pgqrs::Run<int> fork(store.Workflows().Fork(run.id(), "of 1", 0, {.version = 2}));
  EXPECT_EQ(fork.Result(kLongEnough), 102);
  EXPECT_EQ(fork.Info().version, 2);
}

TEST_P(WorkflowForks, ARetryTriggersAFailedChildAgain) {
  std::atomic<bool> works = false;
  const auto child = DefineWorkflow("child", [&](RunContext&) {
    if (!works) throw std::runtime_error("not yet");
    return 5;
  });
  const auto parent =
      DefineWorkflow("parent", [&](RunContext& run) { return run.Child(child, {}).Result(); });
  auto& store = OpenStore();
  WorkflowWorker worker(store, {parent, child});
  worker.Start();
  const auto run = store.Trigger(parent);
  EXPECT_THAT(MessageOf<WorkflowError>([&] { run.Result(kLongEnough); }), HasSubstr("not yet"));
  works = true;
  store.Workflows().Retry(run.id());
  EXPECT_EQ(run.Result(kLongEnough), 5);
  EXPECT_THAT(store.Workflows().Runs({.parent_id = run.id()}), SizeIs(2));
}

TEST_P(WorkflowForks, AChildThatIsRetriedTellsNobodyWhoAwaitsAnotherOne) {
  std::atomic<bool> works = false;
  const auto child = DefineWorkflow("child", [&](RunContext& run) {
    if (!works) throw std::runtime_error("not yet");
    return run.WaitForEvent("go")->AsString();
  });
  const auto parent =
      DefineWorkflow("parent", [&](RunContext& run) { return run.Child(child, {}).Result(); });
  auto& store = OpenStore();
  WorkflowWorker worker(store, {parent, child});
  worker.Start();
  const auto run = store.Trigger(parent);
  EXPECT_THAT(MessageOf<WorkflowError>([&] { run.Result(kLongEnough); }), HasSubstr("not yet"));
  works = true;
  store.Workflows().Retry(run.id());
  const auto children = [&] { return store.Workflows().Runs({.parent_id = run.id()}); };
  ASSERT_TRUE(Eventually([&] { return children().size() == 2; }));
  const auto old = children().at(0).id;
  store.Workflows().Retry(old);
  store.Workflows().SendEvent(old, "go", "old");
  EXPECT_EQ(store.Workflows().Get(old).ResultJson(kLongEnough).AsString(), "old");
  store.Workflows().SendEvent(children().at(1).id, "go", "new");
  EXPECT_EQ(run.Result(kLongEnough), "new");
}

TEST_P(WorkflowForks, ACancelledRunIsRetriedWithItsChildren) {
  const auto child = DefineWorkflow(
      "child", [](RunContext& run) { return run.WaitForEvent("go").value_or(Json()).AsString(); });
  const auto parent =
      DefineWorkflow("parent", [&](RunContext& run) { return run.Child(child, {}).Result(); });
  auto& store = OpenStore();
  WorkflowWorker worker(store, {parent, child});
  worker.Start();
  const auto run = store.Trigger(parent);
  ASSERT_TRUE(ComesToRest(run));
  run.Cancel();
  EXPECT_EQ(run.Status(), RunStatus::kCancelled);
  const auto first = store.Workflows().Runs({.parent_id = run.id()}).at(0).id;
  EXPECT_TRUE(Becomes(store.Workflows().Get(first), RunStatus::kCancelled));
  store.Workflows().Retry(run.id());
  ASSERT_TRUE(
      Eventually([&] { return store.Workflows().Runs({.parent_id = run.id()}).size() == 2; }));
  store.Workflows().SendEvent(store.Workflows().Runs({.parent_id = run.id()}).at(1).id, "go",
                              "gone");
  EXPECT_EQ(run.Result(kLongEnough), "gone");
}

}  // namespace
}  // namespace pgqrs::testing
