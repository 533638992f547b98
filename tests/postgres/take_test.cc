// One dequeue for several workers, which share what there is in their order.
#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "postgres/postgres_test.h"
#include "queue/slice.h"
#include "support/seed.h"

namespace pgqrs::testing {
namespace {

using Ids = std::vector<std::int64_t>;

constexpr int kRounds = 30;
constexpr int kFirstWorker = 1'000'001;

std::string ArrayOf(const std::vector<std::int64_t>& numbers) {
  std::string text = "ARRAY[";
  for (const auto number : numbers)
    text += (text.back() == '[' ? "" : ",") + std::to_string(number);
  return text + "]::bigint[]";
}

class PostgresTake : public PostgresTest {
 protected:
  PostgresTake() : store_(OpenWith(1000)), queue_(store_.Queue("jobs")) {}

  PgqrsStore OpenWith(int max_read_ct) {
    config().max_read_ct = max_read_ct;
    return Open();
  }

  // Messages whose batches have been cut, so that slices have gaps, interleave, and have keys that
  // are not of their own any more. Many of them are visible from the same time on.
  void MakePieces() {
    for (int i = random_.Pick(1, 8); i > 0; --i) {
      const std::vector<Json> payloads(static_cast<std::size_t>(random_.Pick(1, 100)),
                                       Json::Parse("0"));
      queue_.EnqueueBatch(payloads, {.priority = static_cast<int>(random_.Pick(4, 5))});
    }
    for (int i = 0; i < 4; ++i) {
      for (auto& message : queue_.DequeueBatch(static_cast<int>(random_.Pick(1, 120)))) {
        const auto what = random_.Pick(1, 6);
        ASSERT_TRUE(what > 3 || (what == 1 ? message.Ack() : message.Release()));
      }
      // The others are back too; and times meet.
      shell_.Execute(
          "UPDATE pgqrs_slices SET lease_token = NULL, visible_at = timestamptz '2020-01-01' "
          "+ (abs(hashint8(id >> 6) % 3) + (id % 5 = 0)::integer) * interval '1 s'");
    }
  }

  // What waits, in the order in which it is to be handed out.
  Ids Waiting() { return IdsOf("state = 'waiting'"); }
  Ids HeldBy(int deal) {
    return IdsOf("state = 'leased' AND worker_id = " + std::to_string(kFirstWorker + deal));
  }
  Ids IdsOf(const std::string& condition) {
    Ids ids;
    for (const auto& row : shell_.Query("SELECT id FROM pgqrs_messages WHERE " + condition +
                                        " ORDER BY priority, visible_at, id")) {
      ids.push_back(std::stoll(row.front()));
    }
    return ids;
  }

  // Takes that many for each deal, looking at so many slices. Gives the ids by deal.
  std::map<int, Ids> Take(const std::vector<std::int64_t>& wanted, std::int64_t slices) {
    std::vector<std::int64_t> workers;
    std::vector<std::int64_t> leases;
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      workers.push_back(kFirstWorker + static_cast<std::int64_t>(i));
      leases.push_back(60'000'000);
    }
    const auto tokens = workers;
    std::map<int, Ids> taken;
    for (const auto& row : shell_.Query(
             "SELECT deal - 1, slice, part FROM pgqrs_take((SELECT id FROM pgqrs_queues), " +
             ArrayOf(workers) + ", " + ArrayOf(tokens) + ", " + ArrayOf(wanted) + ", " +
             ArrayOf(leases) + ", NULL, 1000, array_fill('-infinity'::timestamptz, ARRAY[10]), " +
             std::to_string(slices) + ") WHERE deal IS NOT NULL")) {
      auto& ids = taken[std::stoi(row[0])];
      queue::ForEachPosition(static_cast<queue::Mask>(std::stoll(row[2])), [&](int position) {
        ids.push_back(queue::MessageId(queue::BatchOf(std::stoll(row[1])), position));
      });
    }
    return taken;
  }

  // Checks that the deals got the first messages, in their order, and in the tables too.
  void ExpectInOrder(const std::vector<std::int64_t>& wanted, const Ids& waiting,
                     std::map<int, Ids> taken) {
    auto next = waiting.begin();
    for (int deal = 0; deal < std::ssize(wanted); ++deal) {
      auto& ids = taken[deal];
      Ids expected(next, next + std::ssize(ids));
      next += std::ssize(ids);
      std::sort(expected.begin(), expected.end());
      std::sort(ids.begin(), ids.end());
      EXPECT_EQ(ids, expected) << "deal " << deal;
      auto held = HeldBy(deal);
      std::sort(held.begin(), held.end());
      EXPECT_EQ(held, expected) << "deal " << deal;
    }
    EXPECT_EQ(Waiting(), Ids(next, waiting.end()));
  }

  Seeded random_;
  PostgresShell shell_ = Shell();
  PgqrsStore store_;
  Queue queue_;
};

TEST_F(PostgresTake, DealsAreServedInTheirOrder) {
  for (int round = 0; round < kRounds && !HasFailure(); ++round) {
    SCOPED_TRACE("round " + std::to_string(round));
    MakePieces();
    const auto waiting = Waiting();
    std::vector<std::int64_t> wanted;
    std::int64_t total = 0;
    for (int i = random_.Pick(1, 5); i > 0; --i) total += wanted.emplace_back(random_.Pick(1, 90));

    const auto taken = Take(wanted, 10'000);

    std::int64_t n = 0;
    for (const auto& [deal, ids] : taken) n += std::ssize(ids);
    EXPECT_EQ(n, std::min<std::int64_t>(total, std::ssize(waiting)));
    ExpectInOrder(wanted, waiting, taken);
    store_.Admin().Verify();
    store_.PurgeQueue("jobs");
  }
}

// Wherever the limit falls, also amid the pieces of a batch.
TEST_F(PostgresTake, WhatALimitHidesComesNext) {
  for (int round = 0; round < kRounds && !HasFailure(); ++round) {
    SCOPED_TRACE("round " + std::to_string(round));
    MakePieces();
    const auto waiting = Waiting();
    const std::vector<std::int64_t> wanted = {random_.Pick(1, 60), random_.Pick(1, 60)};

    const auto taken = Take(wanted, random_.Pick(1, 5));

    EXPECT_EQ(taken.empty(), waiting.empty());
    ExpectInOrder(wanted, waiting, taken);
    store_.PurgeQueue("jobs");
  }
}

TEST_F(PostgresTake, LoneMessagesAreDealtOutToo) {
  for (int i = 0; i < 25; ++i) queue_.Enqueue("lone");
  const auto waiting = Waiting();

  const auto taken = Take({7, 1, 30, 4}, 100);

  EXPECT_THAT(taken.at(0), ::testing::SizeIs(7));
  EXPECT_THAT(taken.at(1), ::testing::SizeIs(1));
  EXPECT_THAT(taken.at(2), ::testing::SizeIs(17));
  EXPECT_FALSE(taken.contains(3));
  ExpectInOrder({7, 1, 30, 4}, waiting, taken);
}

}  // namespace
}  // namespace pgqrs::testing
