#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pgqrs/pgqrs.h>

#include <chrono>
#include <csignal>
#include <fstream>
#include <map>
#include <set>
#include <string>

#include "crash/workflow_crash_test.h"
#include "support/faulty_vfs.h"
#include "support/seed.h"

namespace pgqrs::testing {
namespace {

constexpr int kInput = 41;

class WorkflowDies : public WorkflowCrashTest {
 protected:
  std::int64_t Trigger() const {
    auto store = Open();
    const auto run = store.Trigger(DefineSample(notes()).parent, kInput);
    store.Workflows().SendEvent(run.id(), "go", "now");
    return run.id();
  }

  // What is recorded of a run and its children, and how often their bodies were called.
  struct Progress {
    std::set<std::string> finished_steps;
    std::map<std::string, int> bodies;
    Effects effects;
  };
  Progress Look(PgqrsStore& store, std::int64_t run_id) const {
    Progress progress;
    for (const auto& step : store.Workflows().Steps({.run_id = run_id})) {
      if (step.status == StepStatus::kSuccess) progress.finished_steps.insert(step.name);
    }
    progress.bodies = notes().Read()[run_id];
    progress.effects = CountEffects(store);
    return progress;
  }

  // Another process goes on where this one has died, when the lease has ended: here at once, since
  // its clock is ahead.
  void Recover(std::int64_t run_id) const {
    auto store = Open(std::chrono::hours(1));
    EXPECT_NO_THROW(store.Admin().Verify());
    const auto before = Look(store, run_id);
    const auto run = store.Workflows().Get(run_id);
    {
      const auto sample = DefineSample(notes());
      WorkflowWorker worker(store, {sample.parent, sample.child});
      worker.Start();
      ASSERT_NO_THROW(run.ResultJson(std::chrono::seconds(60)));
    }
    const auto after = Look(store, run_id);
    CheckRun(store, run.Info(), after.effects, notes().Read());
    const std::map<std::string, std::string> step_of = {
        {"first", "first"}, {"branch", "both[1]/step"}, {"retried", "retried"}};
    for (const auto& [body, step] : step_of) {
      const auto count = [&](const Progress& progress) {
        const auto found = progress.bodies.find(body);
        return found == progress.bodies.end() ? 0 : found->second;
      };
      const int again = count(after) - count(before);
      if (before.finished_steps.contains(step)) {
        EXPECT_EQ(again, 0) << "the finished step " << step << " ran again";
      } else {
        EXPECT_LE(again, body == "retried" ? 2 : 1) << step;
      }
    }
    EXPECT_NO_THROW(store.Admin().Verify());
  }
};
INSTANTIATE_TEST_SUITE_P(On, WorkflowDies, ::testing::ValuesIn(kWorkflowBackends),
                         [](const auto& tested) { return std::string(tested.param); });

TEST_P(WorkflowDies, AtEachBoundaryOfItsStepsAndAnotherProcessCompletesIt) {
  {
    auto store = Open();
    MakeEffects(store);
  }
  constexpr int kMostBoundaries = 200;
  int boundary = 1;
  for (; boundary < kMostBoundaries && !HasFailure(); ++boundary) {
    const auto run_id = Trigger();
    const auto name_file = folder().File("boundary");
    auto process = Start("boundary", {folder().File("notes"), std::to_string(run_id),
                                      std::to_string(boundary), name_file});
    const int result = process.Wait();
    if (result == 0) break;
    ASSERT_EQ(result, -SIGKILL);
    std::string name;
    std::getline(std::ifstream(name_file), name);
    SCOPED_TRACE("boundary " + std::to_string(boundary) + ", " + name);
    Recover(run_id);
  }
  // Those of the sample are more than thirty.
  EXPECT_GT(boundary, 30);
  EXPECT_LT(boundary, kMostBoundaries);
}

class WorkflowDiesOnAFile : public WorkflowDies {
 protected:
  // Lets a process execute the run, and die at the `nth` of these system calls; 0: at none.
  int Execute(std::int64_t run_id, IoCall kind, std::int64_t nth) {
    auto process =
        Start("execute", {folder().File("notes"), std::to_string(run_id),
                          std::to_string(static_cast<int>(kind)), std::to_string(nth), Calls()});
    return process.Wait();
  }

  // How many calls the last process made that did not die.
  std::int64_t CountedCalls() const {
    std::int64_t calls = 0;
    std::ifstream(Calls()) >> calls;
    return calls;
  }

 private:
  std::string Calls() const { return folder().File("calls"); }
};
INSTANTIATE_TEST_SUITE_P(On, WorkflowDiesOnAFile, ::testing::Values("sqlite"),
                         [](const auto& tested) { return std::string(tested.param); });

TEST_P(WorkflowDiesOnAFile, AtSystemCallsAndAnotherProcessCompletesIt) {
  {
    auto store = Open();
    MakeEffects(store);
  }
  const auto deaths = FromEnvironment("PGQRS_FAULT_POINTS", IsSanitized() ? 4 : 12);
  Seeded random;
  for (const auto kind : {IoCall::kWrite, IoCall::kSync}) {
    ASSERT_EQ(Execute(Trigger(), kind, 0), 0);
    ASSERT_GT(CountedCalls(), 0);
    for (const auto n : random.Spread(CountedCalls(), deaths)) {
      SCOPED_TRACE(std::string(ToString(kind)) + " " + std::to_string(n));
      const auto run_id = Trigger();
      // How requests become groups is not always the same: it may come to its end before.
      const int result = Execute(run_id, kind, n);
      ASSERT_TRUE(result == 0 || result == -SIGKILL) << result;
      Recover(run_id);
      if (HasFailure()) return;
    }
  }
}

}  // namespace
}  // namespace pgqrs::testing
