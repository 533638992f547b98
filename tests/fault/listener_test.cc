#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pgqrs/pgqrs.h>

#include <chrono>
#include <filesystem>
#include <iterator>
#include <thread>

#include "support/faulty_vfs.h"
#include "support/temp_folder.h"

namespace pgqrs::testing {
namespace {

std::ptrdiff_t OpenDescriptors() {
  return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {});
}

// A waiting consumer opens the file once more to watch it for the changes of other processes.
class UnwatchableFile : public ::testing::Test {
 protected:
  UnwatchableFile() { config_.fallback_poll_interval = std::chrono::milliseconds(5); }

  FaultyVfs vfs_;
  TempFolder folder_;
  Config config_{"sqlite://" + folder_.File("queue.db")};
};

TEST_F(UnwatchableFile, DequeueWaitFindsTheMessagesOfOthersByPolling) {
  auto store = PgqrsStore::Connect(config_);
  auto queue = store.Queue("jobs");
  auto other = PgqrsStore::Connect(config_);
  auto other_queue = other.Queue("jobs");
  vfs_.Fail(IoCall::kOpen, 1, IoFault::kFail, /*for_good=*/true);
  auto message = queue.DequeueWaitAsync(std::chrono::minutes(1));
  while (store.EngineMetrics().waiting_consumers == 0) std::this_thread::yield();
  other_queue.Enqueue("payload");
  EXPECT_TRUE(message.Get().has_value());
}

TEST_F(UnwatchableFile, CostsNoDescriptors) {
  auto store = PgqrsStore::Connect(config_);
  auto queue = store.Queue("jobs");
  vfs_.Fail(IoCall::kOpen, 1, IoFault::kFail, /*for_good=*/true);
  constexpr int kWaits = 100;
  const auto before = OpenDescriptors();
  for (int i = 0; i < kWaits; ++i) EXPECT_FALSE(queue.DequeueWait(std::chrono::milliseconds(1)));
  // Other threads may open and close one of their own meanwhile, as SQLite does to sync a folder.
  EXPECT_LT(OpenDescriptors() - before, kWaits / 2);
}

TEST_F(UnwatchableFile, IsWatchedOnceItCanBe) {
  auto store = PgqrsStore::Connect(config_);
  auto queue = store.Queue("jobs");
  // A short wait may end before its file is opened.
  const auto wait_until_opened = [&] {
    const auto before = vfs_.Calls(IoCall::kOpen);
    while (vfs_.Calls(IoCall::kOpen) == before) {
      ASSERT_FALSE(queue.DequeueWait(std::chrono::milliseconds(1)));
    }
  };
  vfs_.Fail(IoCall::kOpen, 1);
  wait_until_opened();
  wait_until_opened();
}

}  // namespace
}  // namespace pgqrs::testing
