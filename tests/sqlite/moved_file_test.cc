#include <chrono>
#include <filesystem>
#include <string>
#include <thread>

#include "sqlite/sqlite_test.h"

namespace pgqrs::testing {
namespace {

class MovedFile : public SqliteTest {};

TEST_F(MovedFile, WhatWasRemovedIsNotWrittenTo) {
  auto store = PgqrsStore::Connect("sqlite:" + path());
  auto queue = store.Queue("jobs");
  queue.Enqueue("there");
  std::filesystem::rename(path(), path() + ".elsewhere");
  EXPECT_THAT(MessageOf<InternalError>([&] { queue.Enqueue("nowhere"); }),
              HasSubstr("was removed or replaced"));
  EXPECT_FALSE(std::filesystem::exists(path()));
  std::filesystem::rename(path() + ".elsewhere", path());
  queue.Enqueue("there again");
  EXPECT_EQ(queue.Metrics().waiting, 2);
}

// Works in another folder until its end.
class InFolder {
 public:
  explicit InFolder(const std::filesystem::path& folder) { std::filesystem::current_path(folder); }
  InFolder(const InFolder&) = delete;
  InFolder& operator=(const InFolder&) = delete;
  ~InFolder() { std::filesystem::current_path(before_); }

 private:
  const std::filesystem::path before_ = std::filesystem::current_path();
};

TEST_F(MovedFile, ARelativePathStaysTheSameWhenTheProcessChangesItsFolder) {
  const TempFolder other;
  const InFolder home(folder().path());
  auto store = PgqrsStore::Connect("sqlite:relative.db");
  const InFolder elsewhere(other.path());
  auto queue = store.Queue("jobs");
  queue.Enqueue("message");
  EXPECT_EQ(queue.Metrics().waiting, 1) << "a reader is opened late";
  EXPECT_TRUE(std::filesystem::is_empty(other.path()));
}

TEST_F(MovedFile, ALinkToAFileThatIsStillToBeMadeIsFollowed) {
  std::filesystem::create_directory(folder().File("disk"));
  std::filesystem::create_symlink("disk/real.db", folder().File("link.db"));
  const auto dsn = "sqlite:" + folder().File("link.db");
  auto store = PgqrsStore::Connect(dsn);
  store.Queue("jobs").Enqueue("message");
  EXPECT_TRUE(std::filesystem::exists(folder().File("disk/real.db-turn")));
  EXPECT_TRUE(PgqrsStore::Connect(dsn).Queue("jobs").Dequeue());
}

TEST_F(MovedFile, AConsumerThroughALinkIsWokenByWhoUsesTheRealPath) {
  const auto link = path() + ".link";
  auto producer = PgqrsStore::Connect("sqlite:" + path());
  std::filesystem::create_symlink(path(), link);
  Config config("sqlite:" + link);
  config.fallback_poll_interval = hours(1);
  config.heartbeat_interval = hours(1);
  auto consumer = PgqrsStore::Connect(config);
  auto waiting = consumer.Queue("jobs").DequeueWaitAsync(minutes(5));
  while (consumer.EngineMetrics().waiting_consumers == 0) std::this_thread::yield();
  producer.Queue("jobs").Enqueue("message");
  EXPECT_TRUE(waiting.Get());
  EXPECT_FALSE(std::filesystem::exists(link + "-turn")) << "both take turns at one file";
}

}  // namespace
}  // namespace pgqrs::testing
