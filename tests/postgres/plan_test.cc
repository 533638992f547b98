// Plans that were made on empty tables serve full ones.
#include <optional>

#include "postgres/postgres_test.h"

namespace pgqrs::testing {
namespace {

// The parameter is how many messages lie in the tables when they are analyzed; none: they are not.
class PostgresPlans : public PostgresTest,
                      public ::testing::WithParamInterface<std::optional<int>> {
 protected:
  // Rows and index entries that all sessions which have ended have read, and those that filled.
  std::int64_t RowsRead() {
    return Shell().QueryInt(
        "SELECT (SELECT sum(seq_tup_read) FROM pg_stat_user_tables WHERE relname LIKE 'pgqrs%') + "
        "(SELECT sum(idx_tup_read) FROM pg_stat_user_indexes WHERE relname LIKE 'pgqrs%')");
  }

  void Fill(int count) {
    auto shell = Shell();
    shell.Execute("SELECT pgqrs_enqueue('jobs', '0') FROM generate_series(1, " +
                  std::to_string(count) + ")");
    // Else what it has read is counted once its session ends, which may be at any time.
    shell.Execute("SELECT pg_stat_force_next_flush()");
  }

  void Analyze(Queue& queue) {
    if (!GetParam()) return;
    for (int i = 0; i < *GetParam(); ++i) queue.Enqueue("payload");
    Shell().Execute("VACUUM ANALYZE");
  }
};

INSTANTIATE_TEST_SUITE_P(Analyzed, PostgresPlans, ::testing::Values(std::nullopt, 0, 1, 5),
                         [](const ::testing::TestParamInfo<std::optional<int>>& tested) {
                           return tested.param ? "With" + std::to_string(*tested.param) : "Never";
                         });

TEST_P(PostgresPlans, OfEmptyTablesReadNoMoreThanTheyNeedOfFullOnes) {
  constexpr int kMessages = 3000;
  constexpr int kRounds = 20;
  config().max_connections = 3;  // One lane.
  std::int64_t before = 0;
  {
    auto store = Open();
    auto queue = store.Queue("jobs");
    Analyze(queue);
    const auto work = [&](int rounds) {
      for (int i = 0; i < rounds; ++i) {
        auto messages = queue.DequeueBatch(5);
        ASSERT_TRUE(messages.front().Ack());
        ASSERT_TRUE(messages.back().Release());
        ASSERT_TRUE(store.FindMessage(messages[1].id()));
        messages.erase(messages.begin());
        messages.pop_back();
        for (const bool acked : store.Ack(std::span<const Message>(messages))) ASSERT_TRUE(acked);
      }
    };
    queue.EnqueueBatch(std::vector<Json>(5, Json::Parse("0")));
    work(1);
    Fill(kMessages);
    before = RowsRead();
    work(kRounds);
  }
  Shell().AwaitTheEndOfSessions();
  const auto read = RowsRead() - before;

  EXPECT_GT(read, kRounds);
  // One walk over the queue a round would read twenty times as many.
  EXPECT_LT(read, kMessages);
}

TEST_P(PostgresPlans, OfEmptyTablesBuryNoMoreThanTheyNeedOfFullOnes) {
  constexpr int kMessages = 3000;
  constexpr int kRounds = 20;
  config().max_connections = 3;
  config().max_read_ct = 1;
  std::int64_t before = 0;
  {
    auto store = Open();
    auto queue = store.Queue("jobs");
    Analyze(queue);
    const auto bury = [&](int rounds) {
      for (int i = 0; i < rounds; ++i) {
        queue.Enqueue("payload", {.priority = 0});
        ASSERT_TRUE(queue.Dequeue()->Release());
        ASSERT_TRUE(queue.Dequeue()->Ack());  // Meets the same one first, and buries it.
      }
    };
    queue.Enqueue("payload");
    bury(1);
    Fill(kMessages);
    before = RowsRead();
    bury(kRounds);
  }
  EXPECT_EQ(Shell().QueryInt("SELECT sum(n) FROM pgqrs_archive WHERE dead"), kRounds + 1);
  Shell().AwaitTheEndOfSessions();
  const auto read = RowsRead() - before;

  EXPECT_GT(read, kRounds);
  EXPECT_LT(read, kMessages);
}

}  // namespace
}  // namespace pgqrs::testing
