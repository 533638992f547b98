#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pgqrs/pgqrs.h>

#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "crash/crash_test.h"
#include "support/seed.h"

namespace pgqrs::testing {
namespace {

class Killed : public CrashTestOnEach {
 protected:
  // The first two are producers, the others workers.
  static constexpr int kProcesses = 4;
  // Makes the producers a little slower than the workers.
  static constexpr const char* kPauseMs = "5";

  static std::int64_t Rounds() {
    return FromEnvironment("PGQRS_CRASH_ROUNDS", IsSanitized() ? 4 : 10);
  }

  Process StartNumber(int number) {
    ++incarnation_;
    auto process = number < 2 ? Start("produce", {"p" + std::to_string(incarnation_), kPauseMs})
                              : Start("work", {"100"});
    AwaitFirstNote(process);
    return process;
  }

 private:
  int incarnation_ = 0;
};

INSTANTIATE_TEST_SUITE_P(On, Killed, ::testing::ValuesIn(kBackends),
                         [](const auto& tested) { return std::string(tested.param); });

TEST_P(Killed, ProcessesLoseAndDoubleNothing) {
  Seeded random;
  std::vector<Process> processes;
  processes.reserve(kProcesses);
  for (int i = 0; i < kProcesses; ++i) processes.push_back(StartNumber(i));
  for (std::int64_t round = 0; round < Rounds() && !HasFailure(); ++round) {
    SCOPED_TRACE("round " + std::to_string(round));
    std::this_thread::sleep_for(std::chrono::microseconds(random.Pick(0, 30'000)));
    std::vector<int> killed;
    for (int i = 0; i < kProcesses; ++i) {
      if (random.Coin() || (i == kProcesses - 1 && killed.empty())) killed.push_back(i);
    }
    for (const int i : killed) {
      EXPECT_FALSE(processes[static_cast<std::size_t>(i)].HasEnded()) << "it ended by itself";
      processes[static_cast<std::size_t>(i)].Kill();
    }
    CheckAgainstJournals();
    for (const int i : killed) processes[static_cast<std::size_t>(i)] = StartNumber(i);
  }
  processes.clear();
  Drain();
  CheckAgainstJournals();
  const auto journals = ReadJournals();
  EXPECT_THAT(journals.acked, Not(IsEmpty()));
  EXPECT_THAT(journals.enqueued, Not(IsEmpty()));
}

#ifdef PGQRS_WITH_TURSO
class TursoKilled : public Killed {};

// A file is open in one process at a time.
TEST_P(TursoKilled, OneProcessAfterTheOtherLosesAndDoublesNothing) {
  UseDsn("turso://" + database());
  Seeded random;
  for (std::int64_t round = 0; round < 2 * Rounds() && !HasFailure(); ++round) {
    SCOPED_TRACE("round " + std::to_string(round));
    auto process = StartNumber(round % 2 == 0 ? 0 : 2);
    std::this_thread::sleep_for(std::chrono::microseconds(random.Pick(0, 30'000)));
    EXPECT_FALSE(process.HasEnded()) << "it ended by itself";
    process.Kill();
    CheckAgainstJournals();
  }
  Drain();
  CheckAgainstJournals();
  EXPECT_THAT(ReadJournals().acked, Not(IsEmpty()));
}
INSTANTIATE_TEST_SUITE_P(On, TursoKilled, ::testing::Values("turso"),
                         [](const auto& tested) { return std::string(tested.param); });
#endif

TEST_P(Killed, ConsumerGivesBackExactlyWhatItHoldsAfterItsLease) {
  constexpr auto kLease = std::chrono::minutes(10);
  std::vector<std::int64_t> ids;
  {
    auto store = Open();
    ids = store.Queue("jobs").EnqueueBatch(std::vector<Json>(100, "payload"));
  }
  auto holder = Start("hold", {"70", std::to_string(kLease / std::chrono::milliseconds(1))});
  AwaitFirstNote(holder);
  holder.Kill();

  auto now = Open();
  EXPECT_THAT(now.Queue("jobs").DequeueBatch(1000, kLease * 3), SizeIs(30));
  auto later = Open(kLease * 2);
  const auto returned = later.Queue("jobs").DequeueBatch(1000);
  ASSERT_THAT(returned, SizeIs(70));
  for (std::size_t i = 0; i < returned.size(); ++i) {
    EXPECT_EQ(returned[i].id(), ids[i]);
    EXPECT_EQ(returned[i].read_count(), 2);
  }
  for (std::size_t i = returned.size(); i < ids.size(); ++i) {
    EXPECT_EQ(now.FindMessage(ids[i])->read_count, 1);
  }
  EXPECT_NO_THROW(now.Admin().Verify());
}

}  // namespace
}  // namespace pgqrs::testing
