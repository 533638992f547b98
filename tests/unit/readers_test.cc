#include "engine/readers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pgqrs/config.h>
#include <pgqrs/error.h>

#include <atomic>
#include <condition_variable>
#include <exception>
#include <future>
#include <memory>
#include <mutex>
#include <set>
#include <thread>

#include "driver/sqlite/sqlite_database.h"
#include "support/temp_folder.h"
#include "support/throws.h"

namespace pgqrs::testing {
namespace {

using engine::Readers;
using ::testing::HasSubstr;

class ReadersTest : public ::testing::Test {
 protected:
  static Config ConfigOf(const std::string& path) { return Config("sqlite:" + path); }

  TempFolder folder_;
  driver::SqliteDatabase database_{ConfigOf(folder_.File("queue.db"))};
  // Only a writer makes the file.
  std::unique_ptr<driver::Connection> writer_ = database_.OpenWriter();
};

TEST_F(ReadersTest, ATaskGetsAConnectionOnAnotherThread) {
  Readers readers(database_, 2, 1000, std::chrono::seconds(30));
  std::promise<std::thread::id> done;
  EXPECT_TRUE(readers.Submit([&](driver::Connection* connection, const std::exception_ptr& error) {
    EXPECT_NE(connection, nullptr);
    EXPECT_EQ(error, nullptr);
    connection->Run(sql::Statement::kListTables, {});
    done.set_value(std::this_thread::get_id());
  }));
  EXPECT_NE(done.get_future().get(), std::this_thread::get_id());
}

TEST_F(ReadersTest, TasksRunBesideEachOtherUpToTheLimit) {
  constexpr int kThreads = 3;
  std::mutex mutex;
  std::condition_variable changed;
  int running = 0;
  std::set<driver::Connection*> connections;
  {
    Readers readers(database_, kThreads, 1000, std::chrono::seconds(30));
    for (int i = 0; i < kThreads; ++i) {
      readers.Submit([&](driver::Connection* connection, const std::exception_ptr&) {
        std::unique_lock lock(mutex);
        connections.insert(connection);
        ++running;
        changed.notify_all();
        // Passes only where all of them run at once.
        changed.wait(lock, [&] { return running == kThreads; });
      });
    }
  }
  EXPECT_EQ(connections.size(), static_cast<std::size_t>(kThreads));
}

TEST_F(ReadersTest, NoMoreThreadsRunThanAllowed) {
  std::atomic<int> running = 0;
  std::atomic<int> done = 0;
  std::atomic<bool> too_many = false;
  {
    Readers readers(database_, 2, 1000, std::chrono::seconds(30));
    for (int i = 0; i < 50; ++i) {
      readers.Submit([&](driver::Connection*, const std::exception_ptr&) {
        if (++running > 2) too_many = true;
        std::this_thread::yield();
        --running;
        ++done;
      });
    }
  }
  EXPECT_FALSE(too_many);
  EXPECT_EQ(done, 50);
}

TEST_F(ReadersTest, AConnectionThatCannotWriteIsWhatTheyGet) {
  Readers readers(database_, 1, 1000, std::chrono::seconds(30));
  std::promise<void> done;
  readers.Submit([&](driver::Connection* connection, const std::exception_ptr&) {
    EXPECT_THROW(connection->RunScript("CREATE TABLE t (a)"), driver::Failure);
    done.set_value();
  });
  done.get_future().wait();
}

TEST_F(ReadersTest, ATaskGetsTheErrorWhereThereIsNoConnectionAndTheNextTriesAgain) {
  driver::SqliteDatabase missing(ConfigOf(folder_.File("missing/queue.db")));
  Readers readers(missing, 1, 1000, std::chrono::seconds(30));
  for (int i = 0; i < 2; ++i) {
    std::promise<std::string> why;
    readers.Submit([&](driver::Connection* connection, const std::exception_ptr& error) {
      EXPECT_EQ(connection, nullptr);
      why.set_value(MessageOf<PgqrsConnectionError>([&] { std::rethrow_exception(error); }));
    });
    EXPECT_THAT(why.get_future().get(), HasSubstr("does not exist"));
  }
}

TEST_F(ReadersTest, CloseRunsWhatWasSubmittedAndRefusesTheRest) {
  Readers readers(database_, 1, 1000, std::chrono::seconds(30));
  std::atomic<int> done = 0;
  for (int i = 0; i < 20; ++i) {
    readers.Submit([&](driver::Connection*, const std::exception_ptr&) { ++done; });
  }
  readers.Close();
  EXPECT_EQ(done, 20);
  EXPECT_FALSE(readers.Submit([](driver::Connection*, const std::exception_ptr&) { FAIL(); }));
}

}  // namespace
}  // namespace pgqrs::testing
