// Plans that were made on empty tables serve full ones.
#include "postgres/postgres_test.h"

namespace pgqrs::testing {
namespace {

class PostgresPlans : public PostgresTest {
 protected:
  // Rows and index entries that all sessions which have ended have read.
  std::int64_t RowsRead() {
    return Shell().QueryInt(
        "SELECT (SELECT sum(seq_tup_read) FROM pg_stat_user_tables WHERE relname LIKE 'pgqrs%') + "
        "(SELECT sum(idx_tup_read) FROM pg_stat_user_indexes WHERE relname LIKE 'pgqrs%')");
  }
};

TEST_F(PostgresPlans, OfEmptyTablesReadNoMoreThanTheyNeedOfFullOnes) {
  constexpr int kMessages = 3000;
  constexpr int kRounds = 20;
  config().max_connections = 3;  // One lane.
  std::int64_t before = 0;
  {
    auto store = Open();
    auto queue = store.Queue("jobs");
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
    Shell().Execute("SELECT pgqrs_enqueue('jobs', '0') FROM generate_series(1, " +
                    std::to_string(kMessages) + ")");
    before = RowsRead();
    work(kRounds);
  }
  const auto read = RowsRead() - before;

  EXPECT_GT(read, kRounds);
  // One walk over the queue a round would read twenty times as many.
  EXPECT_LT(read, kMessages);
}

}  // namespace
}  // namespace pgqrs::testing
