#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pgqrs/pgqrs.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <functional>
#include <string>
#include <thread>

#include "crash/crash_test.h"
#include "crash/queue_calls.h"
#include "support/faulty_vfs.h"
#include "support/seed.h"
#include "support/sqlite_shell.h"

namespace pgqrs::testing {
namespace {

// A process dies in the middle of a call, at one system call or another.
class Interrupted : public CrashTest {
 protected:
  // Lets processes die at some of the system calls of this kind that `call` makes; `check` looks at
  // the database of each.
  void ForEachDeath(const std::string& call, IoCall kind, const std::function<void()>& check) {
    MakeDatabase(call);
    const auto calls = CountCalls(call, kind);
    ASSERT_GT(calls, 0);
    const auto deaths = FromEnvironment("PGQRS_FAULT_POINTS", IsSanitized() ? 4 : 12);
    for (const auto n : Seeded().Spread(calls, deaths)) {
      SCOPED_TRACE(call + " dies at " + std::string(ToString(kind)) + " " + std::to_string(n));
      MakeDatabase(call);
      auto process = Start("do", {call, std::to_string(static_cast<int>(kind)), std::to_string(n)});
      EXPECT_EQ(process.Wait(), -SIGKILL);
      check();
      if (HasFailure()) return;
    }
  }

 private:
  void MakeDatabase(const std::string& call) {
    for (const auto* end : {"", "-wal", "-shm", "-journal"}) {
      std::filesystem::remove(database() + end);
    }
    if (call == "open") return;
    const auto prepared = folder().File("prepared.db");
    if (!std::filesystem::exists(prepared)) PrepareForCalls(prepared);
    std::filesystem::copy_file(prepared, database());
  }

  std::int64_t CountCalls(const std::string& call, IoCall kind) const {
    const FaultyVfs vfs;
    std::int64_t before = 0;
    MakeCall(call, database(), [&] { before = vfs.Calls(kind); });
    return vfs.Calls(kind) - before;
  }
};

class InterruptedAt : public Interrupted, public ::testing::WithParamInterface<IoCall> {};

INSTANTIATE_TEST_SUITE_P(SystemCalls, InterruptedAt,
                         ::testing::Values(IoCall::kWrite, IoCall::kSync),
                         [](const ::testing::TestParamInfo<IoCall>& tested) {
                           return std::string(ToString(tested.param));
                         });

TEST_P(InterruptedAt, FirstOpeningLeavesAWholeSchemaOrNone) {
  ForEachDeath("open", GetParam(), [&] {
    const auto tables =
        SqliteShell(database())
            .QueryInt("SELECT count(*) FROM sqlite_schema WHERE name LIKE 'pgqrs%'");
    Config config("sqlite://" + database());
    config.install_schema = tables == 0;
    auto store = PgqrsStore::Connect(config);
    EXPECT_NO_THROW(store.Admin().Verify());
    store.CreateQueue("jobs").Enqueue("payload");
  });
}

TEST_P(InterruptedAt, PurgeIsCompletedByTheNext) {
  ForEachDeath("purge", GetParam(), [&] {
    auto store = Open();
    EXPECT_NO_THROW(store.Admin().Verify());
    store.PurgeQueue("jobs");
    const auto metrics = store.OpenQueue("jobs").Metrics();
    EXPECT_EQ(metrics.waiting, 0);
    EXPECT_EQ(metrics.archived, kMessagesOfAKind);
    EXPECT_EQ(metrics.dead, kMessagesOfAKind);
  });
}

TEST_P(InterruptedAt, RetentionIsCompletedByTheNext) {
  ForEachDeath("retain", GetParam(), [&] {
    auto store = Open();
    EXPECT_NO_THROW(store.Admin().Verify());
    auto queue = store.OpenQueue("jobs");
    queue.ApplyRetention({.max_count = 0});
    const auto metrics = queue.Metrics();
    EXPECT_EQ(metrics.waiting, kMessagesOfAKind);
    EXPECT_EQ(metrics.archived, 0);
    EXPECT_EQ(metrics.dead, kMessagesOfAKind);
  });
}

TEST_P(InterruptedAt, ReplayIsCompletedByTheNext) {
  ForEachDeath("replay", GetParam(), [&] {
    auto store = Open();
    EXPECT_NO_THROW(store.Admin().Verify());
    auto queue = store.OpenQueue("jobs");
    queue.ReplayDeadLetters();
    const auto metrics = queue.Metrics();
    EXPECT_EQ(metrics.waiting, 2 * kMessagesOfAKind);
    EXPECT_EQ(metrics.archived, kMessagesOfAKind);
    EXPECT_EQ(metrics.dead, 0);
  });
}

TEST_P(InterruptedAt, CloseLeavesEachMessageToTheNextOnce) {
  ForEachDeath("close", GetParam(), [&] {
    auto store = Open(std::chrono::hours(1));
    EXPECT_NO_THROW(store.Admin().Verify());
    auto queue = store.OpenQueue("jobs");
    EXPECT_THAT(queue.DequeueBatch(Queue::kMaxBatchSize), SizeIs(kMessagesOfAKind));
  });
}

TEST_P(InterruptedAt, DeletionOfAQueueIsCompletedByTheNextOpening) {
  ForEachDeath("delete", GetParam(), [&] {
    auto store = Open();
    EXPECT_NO_THROW(store.Admin().Verify());
    // It died before the first step, which decides, or later.
    if (store.ListQueues().size() == 2) store.DeleteQueue("jobs", /*force=*/true);
    EXPECT_THAT(store.ListQueues(), SizeIs(1));
    SqliteShell shell(database());
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (shell.QueryInt("SELECT count(*) FROM pgqrs_queues") != 1) {
      ASSERT_LT(std::chrono::steady_clock::now(), deadline) << "the deletion is not completed";
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    EXPECT_EQ(shell.QueryInt("SELECT count(*) FROM pgqrs_messages"), 3);
    EXPECT_EQ(shell.QueryInt("SELECT count(*) FROM pgqrs_batches"), 1);
    EXPECT_NO_THROW(store.Admin().Verify());
  });
}

}  // namespace
}  // namespace pgqrs::testing
