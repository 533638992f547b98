// Plans of the requests on runs, which were made on empty tables or on such as ANALYZE has seen
// small, serve large ones; and the other way round.
#include "postgres/postgres_test.h"
#include "workflow/workflow_test.h"

namespace pgqrs::testing {
namespace {

// The parameter says whether the tables are analyzed while they are small, and again when they are
// large.
class RunPlans : public PostgresTest, public ::testing::WithParamInterface<bool> {
 protected:
  // Rows and index entries that all sessions which have ended have read of the tables that grow.
  std::int64_t RowsRead() {
    return Shell().QueryInt(
        "SELECT (SELECT sum(seq_tup_read) FROM pg_stat_user_tables WHERE relname ~ "
        "'^pgqrs_(slices|workflow_|batches|archive)') + "
        "(SELECT sum(idx_tup_read) FROM pg_stat_user_indexes WHERE relname ~ "
        "'^pgqrs_(slices|workflow_|batches|archive)')");
  }

  void Analyze() {
    if (GetParam()) Shell().Execute("VACUUM ANALYZE");
  }

  static void Work(RunStore& store, RunStore& children, int rounds) {
    auto keys = store.With("keys");
    for (int i = 0; i < rounds; ++i) {
      store.Trigger();
      const auto run = store.TakeAndStart();
      ASSERT_EQ(store.Record(run, StepOf("a", Json("x"), 0)), Outcome::kDone);
      const auto child_id = store.Child(run, StepOf("c", std::nullopt, 1), children);
      ASSERT_EQ(store.Suspend(run, [](auto& request) { request.waits_for_children = true; }),
                Outcome::kDone);
      const auto child = children.TakeAndStart();
      ASSERT_EQ(child.run.id, child_id);
      ASSERT_EQ(children.Finish(child), Outcome::kDone);
      const auto again = store.TakeAndStart();
      ASSERT_EQ(again.run.id, run.run.id);
      store.Send(run.run.id, "go", "x");
      ASSERT_EQ(store.Receive(again, "go"), "x");
      ASSERT_EQ(store.Finish(again), Outcome::kDone);
      keys.TriggerWithKey("key " + std::to_string(i));
    }
  }
};

INSTANTIATE_TEST_SUITE_P(Statistics, RunPlans, ::testing::Bool(), [](const auto& tested) {
  return tested.param ? "Analyzed" : "NotAnalyzed";
});

// A long history, and little else.
TEST_P(RunPlans, OfListingsReadLittleMoreThanTheyGive) {
  config().max_connections = 3;
  std::int64_t before = 0;
  {
    RunStore store(config());
    store.TriggerWithKey("key");
    const auto parent = store.TakeAndStart();
    store.Child(parent, StepOf("child", std::nullopt), store);
    auto other = store.With("other");
    other.Trigger();
    ASSERT_EQ(other.Finish(other.TakeAndStart(), RunStatus::kError), Outcome::kDone);
    Shell().Execute(
        "INSERT INTO pgqrs_workflow_runs (id, queue_id, epoch, created_at, updated_at, "
        "finished_at, "
        "status, priority, pause_requested, waits_for_children, input) SELECT 1000000 + n, "
        "r.queue_id, "
        "1, now(), now(), now(), 3, 5, 0, 0, '1' FROM pgqrs_workflow_runs AS r, "
        "generate_series(1, 20000) AS n WHERE r.idempotency_key = 'key'");
    Shell().Execute(
        "INSERT INTO pgqrs_workflow_steps (run_id, epoch, created_at, updated_at, ordinal, "
        "position, attempts, kind, status, name) SELECT r.id, 0, now(), now(), 0, 0, 1, 0, 3, "
        "'old' FROM pgqrs_workflow_runs AS r WHERE r.status = 3");
    Analyze();
    before = RowsRead();
    // Often enough for generic plans.
    for (int i = 0; i < 10; ++i) {
      const auto count = [&](RunFilter filter) {
        filter.limit = 10;
        return store
            .Read([&](driver::Connection& connection) {
              return workflow::ListRuns(connection, filter);
            })
            .size();
      };
      for (const auto order : {ListOrder::kOldestFirst, ListOrder::kNewestFirst}) {
        EXPECT_EQ(count({.workflow = "flow",
                         .statuses = {RunStatus::kQueued, RunStatus::kRunning},
                         .order = order}),
                  2U);
        EXPECT_EQ(count({.statuses = {RunStatus::kError}, .order = order}), 1U);
        EXPECT_EQ(count({.workflow = "other", .order = order}), 1U);
        EXPECT_EQ(count({.workflow = "flow", .order = order}), 10U);
        EXPECT_EQ(count({.parent_id = parent.run.id, .order = order}), 1U);
        EXPECT_EQ(count({.idempotency_key = "key", .order = order}), 1U);
      }
      EXPECT_EQ(store
                    .Read([](driver::Connection& connection) {
                      return workflow::ListSteps(connection, {.after_id = 5000, .limit = 10});
                    })
                    .size(),
                10U);
    }
  }
  Shell().AwaitTheEndOfSessions();
  EXPECT_LT(RowsRead() - before, 20'000);
}

TEST_P(RunPlans, OfSmallTablesReadNoMoreThanTheyNeedOfLargeOnes) {
  constexpr int kRuns = 3000;
  constexpr int kRounds = 10;
  config().max_connections = 3;  // One lane.
  std::int64_t before = 0;
  {
    RunStore store(config());
    auto children = store.With("children");
    Work(store, children, 1);
    Analyze();
    // Prepared statements get generic plans now.
    Work(store, children, 1);
    // Each in a slice of its own, and with a step.
    std::vector<Future<std::int64_t>> triggers;
    for (int i = 0; i < kRuns; ++i) {
      auto call = store.core().MakeCall<std::int64_t, queue::EnqueueRequest>(
          [](queue::EnqueueRequest& request) { return request.ids.at(0); });
      call->queue = store.ref();
      call->producer = store.core().own_worker();
      call->delay = std::chrono::hours(1) + Duration(i);
      call->payloads.emplace_back(Json::Parse("0"));
      call->runs.emplace();
      triggers.push_back(store.core().Submit(std::move(call)));
    }
    for (auto& trigger : triggers) trigger.Get();
    Shell().Execute(
        "INSERT INTO pgqrs_workflow_steps (run_id, epoch, created_at, updated_at, ordinal, "
        "position, attempts, kind, status, name) SELECT r.id, 0, now(), now(), 0, 0, 1, 0, 3, "
        "'old' FROM pgqrs_workflow_runs AS r WHERE r.status = 0");
    Analyze();
    before = RowsRead();
    Work(store, children, kRounds);
  }
  Shell().AwaitTheEndOfSessions();
  const auto read = RowsRead() - before;
  EXPECT_GT(read, kRounds);
  // One walk over the runs, the steps or the slices a round would read ten times as many.
  EXPECT_LT(read, kRuns);
}

}  // namespace
}  // namespace pgqrs::testing
