// Processes that execute workflows are killed; every run is finished once all the same.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pgqrs/pgqrs.h>

#include <chrono>
#include <csignal>
#include <string>
#include <thread>
#include <vector>

#include "crash/crash_test.h"
#include "crash/crash_workflow.h"
#include "support/seed.h"

namespace pgqrs::testing {
namespace {

using std::chrono::seconds;

constexpr auto kLongEnough = seconds(60);

class KilledWorkflows : public CrashTest, public ::testing::WithParamInterface<const char*> {
 protected:
  static auto Quiet() {
    return CrashWorkflow([] {});
  }

  void SetUp() override {
    if (GetParam() == std::string("postgres")) UseDsn(SharedPostgres().NewDatabase());
    if (GetParam() == std::string("turso")) UseDsn("turso://" + database());
    auto store = Open();
    const auto setup = DefineWorkflow("setup", [](RunContext& run) {
      run.TransactionStep("create", [](Transaction& transaction) {
        transaction.Execute("CREATE TABLE effects (run bigint NOT NULL)");
      });
    });
    WorkflowWorker worker(store, {setup});
    worker.Start();
    store.Trigger(setup).Result(kLongEnough);
  }

  // Lets runs come to their ends in this process, long behind the leases of the dead, and checks
  // that each step of each of them has happened exactly once.
  void FinishAndCheck(const std::vector<std::int64_t>& runs) {
    auto store = Open(std::chrono::hours(1));
    const auto count = DefineWorkflow("count", [](RunContext& run, std::int64_t id) {
      return run.TransactionStep("query", [id](Transaction& transaction) {
        const auto rows =
            transaction.Query("SELECT count(*) FROM effects WHERE run = " + std::to_string(id));
        return std::get<std::int64_t>(rows.at(0).at(0));
      });
    });
    WorkflowWorker worker(store, {Quiet(), count}, {.concurrency = 4});
    worker.Start();
    for (const auto id : runs) {
      const pgqrs::Run<std::int64_t> run(store.Workflows().Get(id));
      EXPECT_EQ(run.Result(kLongEnough), 5);
      EXPECT_EQ(run.Status(), RunStatus::kSuccess);
      EXPECT_THAT(store.Workflows().Steps({.run_id = id}), ::testing::SizeIs(kCrashSteps));
      EXPECT_EQ(store.Trigger(count, id).Result(kLongEnough), 2) << "run " << id;
    }
    EXPECT_NO_THROW(store.Admin().Verify());
  }
};

#ifdef PGQRS_WITH_TURSO
constexpr const char* kEach[] = {"sqlite", "postgres", "turso"};
#else
constexpr const char* kEach[] = {"sqlite", "postgres"};
#endif
INSTANTIATE_TEST_SUITE_P(On, KilledWorkflows, ::testing::ValuesIn(kEach),
                         [](const auto& tested) { return std::string(tested.param); });

TEST_P(KilledWorkflows, AtEachBoundaryLoseAndDoubleNothing) {
  for (int boundary = 1; boundary <= kCrashBoundaries && !HasFailure(); ++boundary) {
    SCOPED_TRACE("boundary " + std::to_string(boundary));
    std::int64_t id = 0;
    {
      auto store = Open();
      id = store.Trigger(Quiet()).id();
    }
    auto child = Start("flow", {"100", "1", std::to_string(boundary)});
    EXPECT_EQ(child.Wait(), -SIGKILL);
    FinishAndCheck({id});
  }
}

TEST_P(KilledWorkflows, AtAnyTimeLoseAndDoubleNothing) {
  // A file of Turso is open in one process at a time.
  const std::size_t processes = GetParam() == std::string("turso") ? 1 : 2;
  const auto rounds = FromEnvironment("PGQRS_CRASH_ROUNDS", IsSanitized() ? 4 : 10);
  constexpr int kRunsARound = 10;
  Seeded random;
  std::vector<std::int64_t> runs;
  for (std::int64_t round = 0; round < rounds && !HasFailure(); ++round) {
    {
      auto store = Open();
      for (int i = 0; i < kRunsARound; ++i) runs.push_back(store.Trigger(Quiet()).id());
    }
    std::vector<Process> workers;
    workers.reserve(processes);
    for (std::size_t i = 0; i < processes; ++i) {
      workers.push_back(Start("flow", {"100", "4", "0"}));
    }
    AwaitFirstNote(workers.back());
    std::this_thread::sleep_for(std::chrono::microseconds(random.Pick(0, 50'000)));
    for (auto& worker : workers) {
      EXPECT_FALSE(worker.HasEnded()) << "it ended by itself";
      worker.Kill();
    }
  }
  FinishAndCheck(runs);
}

}  // namespace
}  // namespace pgqrs::testing
