// Waiting for the ends of runs.
#include <utility>

#include "conformance/workflow_test.h"

namespace pgqrs::testing {
namespace {

using ::testing::HasSubstr;

class WorkflowResults : public WorkflowTest {
 protected:
  static auto Doubled() {
    return DefineWorkflow("doubled", [](RunContext&, int number) { return 2 * number; });
  }
};
PGQRS_ON_EVERY_BACKEND(WorkflowResults);

TEST_P(WorkflowResults, EachOfManyWaitersGetsThatOfItsRun) {
  const auto workflow = Doubled();
  auto& store = OpenStore();
  std::vector<Future<Json>> results;
  const auto never = store.Trigger(workflow, 0, {.delay = hours(1)});
  auto unfinished = never.ResultJsonAsync();
  for (int i = 0; i < 100; ++i) {
    const auto run = store.Trigger(workflow, i);
    results.push_back(run.ResultJsonAsync(kLongEnough));
    results.push_back(run.ResultJsonAsync());
  }
  WorkflowWorker worker(store, {workflow});
  worker.Start();
  for (int i = 0; i < 100; ++i) {
    for (int j = 0; j < 2; ++j) {
      EXPECT_EQ(FromJson<int>(results[static_cast<std::size_t>(2 * i + j)].Get()), 2 * i);
    }
  }
  EXPECT_FALSE(unfinished.IsReady());
  never.Cancel();
  EXPECT_THAT(MessageOf<WorkflowError>([&] { unfinished.Get(); }), HasSubstr("was cancelled"));
}

TEST_P(WorkflowResults, RunsThatAnotherStoreExecutesAreSeenToEnd) {
  if (!IsShared()) GTEST_SKIP() << "a second store cannot open the same database";
  const auto workflow = Doubled();
  auto& store = OpenStore();
  auto other = Open();
  std::vector<Future<Json>> results;
  results.reserve(20);
  for (int i = 0; i < 20; ++i) {
    results.push_back(store.Trigger(workflow, i).ResultJsonAsync(kLongEnough));
  }
  WorkflowWorker worker(other, {workflow});
  worker.Start();
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(FromJson<int>(results[static_cast<std::size_t>(i)].Get()), 2 * i);
  }
}

TEST_P(WorkflowResults, AWaiterWhoseTimeIsUpLeavesTheOthersWaiting) {
  const auto workflow = Doubled();
  auto& store = OpenStore();
  const auto run = store.Trigger(workflow, 4);
  auto patient = run.ResultJsonAsync(kLongEnough);
  EXPECT_THAT(MessageOf<TimeoutError>([&] { run.Result(milliseconds(20)); }),
              HasSubstr("it is Queued"));
  EXPECT_THROW(run.Result(Duration::zero()), TimeoutError);
  EXPECT_FALSE(patient.IsReady());
  WorkflowWorker worker(store, {workflow});
  worker.Start();
  EXPECT_EQ(FromJson<int>(patient.Get()), 8);
}

TEST_P(WorkflowResults, OfARunThatDoesNotExistThereIsNone) {
  auto& store = OpenStore();
  EXPECT_THAT(
      MessageOf<ValidationError>([&] { store.Workflows().Handle(12345).ResultJson(kLongEnough); }),
      HasSubstr("12345 does not exist"));
}

TEST_P(WorkflowResults, TheEndOfTheStoreEndsTheWait) {
  auto store = std::make_optional(Open());
  auto result = store->Trigger(Doubled(), 1).ResultJsonAsync();
  EXPECT_FALSE(result.IsReady());
  store.reset();
  EXPECT_THAT(MessageOf<Error>([&] { result.Get(); }), HasSubstr("was closed"));
}

}  // namespace
}  // namespace pgqrs::testing
