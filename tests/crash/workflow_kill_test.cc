#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pgqrs/pgqrs.h>

#include <chrono>
#include <map>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "crash/workflow_crash_test.h"
#include "support/seed.h"

namespace pgqrs::testing {
namespace {

class WorkflowsKilled : public WorkflowCrashTest {
 protected:
  static std::int64_t Rounds() {
    return FromEnvironment("PGQRS_CRASH_ROUNDS", IsSanitized() ? 4 : 10);
  }
  static int Processes() { return AreManyProcessesPossible() ? 3 : 1; }

  Process StartOne() {
    auto process = Start("flow", {"p" + std::to_string(++incarnation_)});
    AwaitFirstNote(process);
    return process;
  }

  // By their ids.
  static std::map<std::int64_t, RunInfo> AllRuns(PgqrsStore& store) {
    std::map<std::int64_t, RunInfo> runs;
    RunFilter filter = {.limit = 10'000};
    for (auto page = store.Workflows().Runs(filter); !page.empty();
         page = store.Workflows().Runs(filter)) {
      filter.after_id = page.back().id;
      for (auto& run : page) runs.emplace(run.id, std::move(run));
    }
    return runs;
  }

  // What a process was told of a run stays true. Others may be at work meanwhile.
  void CheckPromises() const {
    auto store = Open();
    const auto journals = ReadJournals();  // Before the runs, of which others make more meanwhile.
    const auto runs = AllRuns(store);
    for (const auto& [id, key] : journals.triggered) {
      ASSERT_TRUE(runs.contains(id)) << id;
      EXPECT_EQ(runs.at(id).idempotency_key, key);
    }
    for (const auto& [id, output] : journals.succeeded) {
      ASSERT_TRUE(runs.contains(id)) << id;
      const auto& run = runs.at(id);
      EXPECT_EQ(run.status, RunStatus::kSuccess);
      EXPECT_EQ(run.output.value_or(Json()).text(), output);
    }
    EXPECT_NO_THROW(store.Admin().Verify());
  }

  // Lets all runs come to their end, and gives those of the sample.
  std::vector<RunInfo> Finish(PgqrsStore& store) const {
    const RunFilter unfinished = {
        .statuses = {RunStatus::kQueued, RunStatus::kRunning, RunStatus::kPaused}, .limit = 10'000};
    // Some were triggered by processes that died before they could send the event.
    for (const auto& run : store.Workflows().Runs(unfinished)) {
      if (run.workflow_name == "sample") store.Workflows().SendEvent(run.id, "go", "again");
    }
    const auto sample = DefineSample(notes());
    WorkflowWorker worker(store, {sample.parent, sample.child}, {.concurrency = 4});
    worker.Start();
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(90);
    while (!store.Workflows().Runs(unfinished).empty()) {
      if (std::chrono::steady_clock::now() > deadline) {
        ADD_FAILURE() << "there are runs that do not come to an end";
        break;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    std::vector<RunInfo> runs;
    for (auto& [id, run] : AllRuns(store)) {
      if (run.workflow_name == "sample") runs.push_back(std::move(run));
    }
    return runs;
  }

 private:
  int incarnation_ = 0;
};
INSTANTIATE_TEST_SUITE_P(On, WorkflowsKilled, ::testing::ValuesIn(kWorkflowBackends),
                         [](const auto& tested) { return std::string(tested.param); });

TEST_P(WorkflowsKilled, EachRunEndsOnceAndEachOfItsTransactionsHappensOnce) {
  {
    auto store = Open();
    MakeEffects(store);
  }
  Seeded random;
  std::vector<Process> processes;
  processes.reserve(static_cast<std::size_t>(Processes()));
  for (int i = 0; i < Processes(); ++i) processes.push_back(StartOne());
  for (std::int64_t round = 0; round < Rounds() && !HasFailure(); ++round) {
    SCOPED_TRACE("round " + std::to_string(round));
    std::this_thread::sleep_for(std::chrono::microseconds(random.Pick(0, 60'000)));
    auto& victim = processes[static_cast<std::size_t>(random.Pick(0, Processes() - 1))];
    EXPECT_FALSE(victim.HasEnded()) << "it ended by itself";
    victim.Kill();
    CheckPromises();
    victim = StartOne();
  }
  processes.clear();

  auto store = Open();
  const auto runs = Finish(store);
  const auto effects = CountEffects(store);
  const auto bodies = notes().Read();
  std::set<std::string> keys;
  for (const auto& run : runs) {
    CheckRun(store, run, effects, bodies);
    EXPECT_TRUE(keys.insert(run.idempotency_key).second) << "two runs of one key";
    if (HasFailure()) return;
  }
  CheckPromises();
  const auto journals = ReadJournals();
  EXPECT_GE(runs.size(), journals.triggered.size());
  EXPECT_THAT(journals.triggered, Not(IsEmpty()));
}

}  // namespace
}  // namespace pgqrs::testing
