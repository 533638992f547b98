#include "driver/file/write_turn.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <thread>

#include "support/temp_folder.h"

namespace pgqrs::testing {
namespace {

using driver::WriteTurn;
using std::chrono::microseconds;

constexpr Duration kPatience = std::chrono::minutes(5);

class WriteTurns : public ::testing::Test {
 protected:
  // Takes turns until `done` says so, and checks that nobody else has one.
  void TakeTurns(const std::function<bool()>& done) {
    WriteTurn turn(database_);
    while (!done()) {
      turn.Take(kPatience);
      if (holders_.fetch_add(1) != 0) ++collisions_;
      std::this_thread::sleep_for(microseconds(50));
      --holders_;
      turn.Give();
    }
  }

  TempFolder folder_;
  const std::string database_ = folder_.File("queue.db");
  std::atomic<int> holders_{0};
  std::atomic<int> collisions_{0};
};

TEST_F(WriteTurns, AreNeverGivenToTwo) {
  auto take_50 = [this] {
    int turns = 0;
    TakeTurns([&] { return turns++ == 50; });
  };
  std::thread first(take_50);
  std::thread second(take_50);
  take_50();
  first.join();
  second.join();
  EXPECT_EQ(collisions_, 0);
}

TEST_F(WriteTurns, AWriterWithoutPausesLetsTheOtherIn) {
  constexpr int kTurns = 100;
  std::atomic<bool> is_done = false;
  std::atomic<int> greedy_turns = 0;
  std::thread greedy([&] {
    TakeTurns([&] {
      ++greedy_turns;
      return is_done.load();
    });
  });
  int turns = 0;
  TakeTurns([&] { return turns++ == kTurns; });
  is_done = true;
  greedy.join();
  // They alternate; without turns the other would have thousands. The scheduler has its say too.
  EXPECT_LT(greedy_turns, 10 * kTurns);
  EXPECT_EQ(collisions_, 0);
}

TEST_F(WriteTurns, AWriterThatIsStuckHoldsUpTheOthersNoLongerThanTheirPatience) {
  WriteTurn stuck(database_);
  stuck.Take(kPatience);
  WriteTurn next(database_);
  next.Take(std::chrono::milliseconds(1));
  next.Give();  // Had no turn to give: the stuck one keeps its own.
  stuck.Give();
  next.Take(kPatience);
  next.Give();
  EXPECT_TRUE(std::filesystem::exists(database_ + "-turn"));
}

TEST_F(WriteTurns, EndWithTheirOwner) {
  {
    WriteTurn turn(database_);
    turn.Take(kPatience);
  }
  WriteTurn next(database_);
  next.Take(kPatience);  // Would wait for five minutes.
  next.Give();
  EXPECT_EQ(holders_, 0);
}

TEST_F(WriteTurns, SurviveThatTheFileIsRemoved) {
  WriteTurn first(database_);
  WriteTurn second(database_);
  first.Take(kPatience);
  std::filesystem::remove(database_ + "-turn");
  first.Give();
  second.Take(kPatience);
  second.Give();

  WriteTurn newcomer(database_);
  EXPECT_TRUE(std::filesystem::exists(database_ + "-turn"));
  newcomer.Take(kPatience);
  newcomer.Give();
}

TEST_F(WriteTurns, WritingGoesOnWhereTheFileCannotBeMade) {
  WriteTurn turn(folder_.File("no/such/folder/queue.db"));
  turn.Take(kPatience);
  turn.Give();
  EXPECT_FALSE(std::filesystem::exists(folder_.File("no")));
}

}  // namespace
}  // namespace pgqrs::testing
