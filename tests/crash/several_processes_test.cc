#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pgqrs/pgqrs.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "crash/crash_test.h"
#include "support/seed.h"

namespace pgqrs::testing {
namespace {

class SeveralProcesses : public CrashTest {
 protected:
  // Enqueues beside a busy process with little patience for it.
  static void EnqueueAtLast(Queue& queue, const std::string& payload) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::minutes(1);
    for (;;) {
      try {
        queue.Enqueue(payload);
        return;
      } catch (const PgqrsConnectionError& error) {
        if (std::chrono::steady_clock::now() > deadline) FAIL() << error.what();
      }
    }
  }
};

class ManyProcesses : public CrashTest, public ::testing::WithParamInterface<int> {
 protected:
  // Payloads begin with the name of the process.
  std::map<std::string, std::int64_t> EnqueuedByProcess() const {
    std::map<std::string, std::int64_t> counts;
    for (const auto& [id, payload] : ReadJournals().enqueued) {
      ++counts[payload.substr(0, payload.find('-'))];
    }
    return counts;
  }
};

INSTANTIATE_TEST_SUITE_P(Counts, ManyProcesses, ::testing::Values(2, 4, 8),
                         ::testing::PrintToStringParamName());

TEST_P(ManyProcesses, ShareAFileFromItsFirstOpeningOn) {
  const int each = (IsSanitized() ? 80 : 240) / GetParam();
  std::vector<Process> processes;
  processes.reserve(static_cast<std::size_t>(GetParam()));
  for (int i = 0; i < GetParam(); ++i) {
    processes.push_back(Start("share", {"p" + std::to_string(i), std::to_string(each), "1"}));
  }
  for (auto& process : processes) EXPECT_EQ(process.Wait(), 0);
  Drain();
  CheckAgainstJournals();
  const auto journals = ReadJournals();
  EXPECT_THAT(journals.enqueued, SizeIs(GetParam() * each));
  EXPECT_THAT(journals.acked, SizeIs(GetParam() * each));
  EXPECT_THAT(journals.refused, IsEmpty());
}

TEST_F(SeveralProcesses, OfManyThreadsHandOutEachMessageToOneAtATimeOnAServer) {
  const int count = IsSanitized() ? 2 : 10;
  const int processes = IsSanitized() ? 3 : 8;
  constexpr int kThreads = 8;
  const PostgresServer server({.fsync = false, .settings = {"max_connections=200"}});
  UseDsn(server.dsn());
  std::vector<Process> sharers;
  sharers.reserve(static_cast<std::size_t>(processes));
  for (int i = 0; i < processes; ++i) {
    sharers.push_back(
        Start("share", {"p" + std::to_string(i), std::to_string(count), std::to_string(kThreads)}));
  }
  for (auto& process : sharers) EXPECT_EQ(process.Wait(), 0);
  Drain();
  CheckAgainstJournals();
  const auto journals = ReadJournals();
  EXPECT_THAT(journals.acked, SizeIs(processes * kThreads * count));
  EXPECT_THAT(journals.refused, IsEmpty());
}

TEST_P(ManyProcesses, EachGetItsShareOfTheTransactions) {
  std::vector<Process> processes;
  processes.reserve(static_cast<std::size_t>(GetParam()));
  for (int i = 0; i < GetParam(); ++i) {
    processes.push_back(Start("produce", {"p" + std::to_string(i), "0"}));
    AwaitFirstNote(processes.back());
  }
  // From here on all of them are at work.
  const auto at_start = EnqueuedByProcess();
  const auto total = [&] {
    std::int64_t sum = 0;
    for (const auto& [process, n] : EnqueuedByProcess()) sum += n - at_start.at(process);
    return sum;
  };
  const std::int64_t fair_share = 450;  // Of messages, 9 for 3 transactions.
  while (total() < fair_share * GetParam())
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  processes.clear();
  for (const auto& [process, n] : EnqueuedByProcess()) {
    EXPECT_GE(n - at_start.at(process), fair_share / 4) << process;
  }
}

TEST_F(SeveralProcesses, SuspendedOneCannotUseItsStaleLease) {
  {
    auto store = Open();
    store.Queue("jobs").EnqueueBatch(std::vector<Json>(3, "payload"));
  }
  auto holder = Start("hold", {"2", "30000"});
  AwaitFirstNote(holder);
  holder.Suspend();
  auto store = Open(std::chrono::hours(1));
  auto taken = store.Queue("jobs").DequeueBatch(10);
  EXPECT_THAT(taken, SizeIs(3));
  std::ofstream(folder().File("1.journal.go")).close();
  holder.Continue();
  EXPECT_EQ(holder.Wait(), 0);
  EXPECT_THAT(ReadJournals().refused, SizeIs(2));
  EXPECT_THAT(store.Ack(taken), Each(true));
}

TEST_F(SeveralProcesses, SuspendedOneStopsNobodyForGood) {
  Config config("sqlite://" + database());
  config.connection_timeout = std::chrono::milliseconds(20);
  Seeded random;
  auto other = Start("produce", {"p", "0"});
  AwaitFirstNote(other);
  auto store = PgqrsStore::Connect(config);
  auto queue = store.Queue("jobs");
  for (int round = 0; round < 10; ++round) {
    std::this_thread::sleep_for(std::chrono::microseconds(random.Pick(0, 3000)));
    other.Suspend();
    try {
      queue.Enqueue("while suspended " + std::to_string(round));
    } catch (const PgqrsConnectionError&) {
      // It was in the middle of a transaction.
    }
    other.Continue();
    EnqueueAtLast(queue, "afterwards " + std::to_string(round));
  }
  other.Kill();
  CheckAgainstJournals();
}

// Locks bytes of a file until it is destroyed, as a process does that was suspended meanwhile.
class StuckLock {
 public:
  StuckLock(const std::string& path, off_t first, off_t count)
      : file_(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666)) {
    struct flock lock = {};
    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;
    lock.l_start = first;
    lock.l_len = count;
    EXPECT_EQ(fcntl(file_, F_OFD_SETLK, &lock), 0);
  }
  StuckLock(const StuckLock&) = delete;
  StuckLock& operator=(const StuckLock&) = delete;
  ~StuckLock() { close(file_); }

 private:
  const int file_;
};

// While a connection notes how far it reads, it has a byte of the shared memory for itself alone.
TEST_F(SeveralProcesses, SuspendedOneAtTheBeginningOfATransactionIsReportedAsBusy) {
  Config config("sqlite://" + database());
  config.connection_timeout = std::chrono::milliseconds(20);
  auto store = PgqrsStore::Connect(config);
  auto queue = store.Queue("jobs");
  queue.Enqueue("before");
  {
    // Where SQLite's WAL-index format has the locks of readers.
    constexpr off_t kFirst = 123;
    constexpr off_t kCount = 5;
    const StuckLock lock(database() + "-shm", kFirst, kCount);
    EXPECT_THROW(queue.Enqueue("meanwhile"), PgqrsConnectionError);
  }
  queue.Enqueue("afterwards");
  EXPECT_THAT(queue.DequeueBatch(10), SizeIs(2));
}

// Stands in for a process that was suspended while it waited for its turn to write, or had it.
class StuckTurn : public CrashTest, public ::testing::WithParamInterface<off_t> {};

INSTANTIATE_TEST_SUITE_P(Locks, StuckTurn, ::testing::Values(0, 1));

TEST_P(StuckTurn, DoesNotHoldUpEveryTransactionOfTheOthers) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  const StuckLock lock(database() + "-turn", GetParam(), 1);
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(25);
  for (int i = 0; i < 20; ++i) queue.Enqueue("payload");
  EXPECT_LT(std::chrono::steady_clock::now(), deadline) << "each waited for the connection timeout";
}

}  // namespace
}  // namespace pgqrs::testing
