// Sessions that the server ends at random moments.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pgqrs/pgqrs.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <exception>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "support/names.h"
#include "support/postgres_server.h"
#include "support/postgres_shell.h"
#include "support/seed.h"

namespace pgqrs::testing {
namespace {

class CutSessions : public ::testing::Test {
 protected:
  // Ends sessions of the database one after another, chosen at random.
  void CutSome(std::int64_t cuts) {
    PostgresShell shell(dsn_);
    Seeded random;
    for (std::int64_t done = 0; done < cuts && !has_failed_;) {
      std::this_thread::sleep_for(microseconds(random.Pick(0, 20'000)));
      done += static_cast<std::int64_t>(
          shell
              .Query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                     "WHERE datname = current_database() AND pid <> pg_backend_pid() "
                     "AND backend_type = 'client backend' ORDER BY random() LIMIT 1")
              .size());
    }
    is_over_ = true;
  }

  // Starts a thread that makes a call again and again until the cuts are over.
  void Repeat(const std::function<void()>& call) {
    threads_.emplace_back([this, call] {
      try {
        while (!is_over_) call();
      } catch (const std::exception& error) {
        has_failed_ = true;
        is_over_ = true;
        ADD_FAILURE() << error.what();
      }
    });
  }

  // The same for what may not be repeated: that its outcome is unknown is an answer too.
  void RepeatUnlessUnknown(const std::function<void()>& call) {
    Repeat([this, call] {
      try {
        call();
      } catch (const InternalError& error) {
        if (std::string(error.what()).find("the outcome is unknown") == std::string::npos) throw;
        ++unknown_;
      }
    });
  }

  // Messages are released often.
  Config NewConfig() const {
    Config config(dsn_);
    config.max_read_ct = 1'000'000'000;
    return config;
  }

  void Join() {
    for (auto& thread : threads_) thread.join();
    threads_.clear();
  }

  const std::string dsn_ = SharedPostgres().NewDatabase();
  PgqrsStore store_ = PgqrsStore::Connect(NewConfig());
  Queue queue_ = store_.Queue("jobs");
  std::atomic<bool> is_over_ = false;
  std::atomic<bool> has_failed_ = false;
  std::atomic<std::int64_t> enqueued_ = 0;
  std::atomic<std::int64_t> acked_ = 0;
  std::atomic<std::int64_t> unknown_ = 0;

 private:
  std::vector<std::thread> threads_;
};

// Several times rather than for long: a database that has grown takes Verify longer than a session
// lasts here.
class CutSessionsAgain : public CutSessions, public ::testing::WithParamInterface<int> {
 public:
  static int Rounds() { return FromEnvironment("PGQRS_FAULT_POINTS", 0) > 0 ? 10 : 1; }
};

INSTANTIATE_TEST_SUITE_P(Rounds, CutSessionsAgain, ::testing::Range(0, CutSessionsAgain::Rounds()));

TEST_P(CutSessionsAgain, MakeNoCallFailThatCanBeRepeated) {
  for (int i = 0; i < 2; ++i) {
    Repeat([this] {
      queue_.Enqueue("alone");
      enqueued_ +=
          1 + static_cast<std::int64_t>(queue_.EnqueueBatch(std::vector<Json>(70, "batch")).size());
    });
  }
  for (int i = 0; i < 3; ++i) {
    Repeat([this] {
      for (auto& message : queue_.DequeueBatchWait(40, milliseconds(50), hours(1))) {
        if (message.Ack()) ++acked_;
      }
    });
    Repeat([this] {
      const auto answers = store_.Ack(queue_.DequeueBatch(40, hours(1)));
      acked_ += std::count(answers.begin(), answers.end(), true);
    });
  }
  Repeat([this] {
    queue_.Metrics();
    store_.Admin().Verify();
  });
  RepeatUnlessUnknown([this] {
    for (auto& message : queue_.DequeueBatch(3, hours(1))) message.Release();
  });
  RepeatUnlessUnknown([this] { store_.Queue("jobs"); });

  CutSome(IsSanitized() ? 40 : 150);
  Join();

  const auto metrics = queue_.Metrics();
  EXPECT_EQ(metrics.archived, acked_);
  EXPECT_EQ(metrics.waiting + metrics.leased, enqueued_ - acked_);
  EXPECT_EQ(metrics.dead, 0);
  EXPECT_GT(acked_, 0);
  // What is left under lease is what a release or a look did not give back.
  EXPECT_LE(metrics.leased, 3 * unknown_);
  store_.Admin().Verify();
}

TEST_F(CutSessions, LetAWaitingConsumerBeWokenAllTheSame) {
  auto config = NewConfig();
  config.fallback_poll_interval = hours(1);
  auto waiting_store = PgqrsStore::Connect(config);
  auto queue = waiting_store.Queue("jobs");
  std::atomic<bool> is_all_counted = false;
  std::atomic<std::int64_t> got = 0;
  std::thread consumer([&] {
    while (!is_all_counted || got < enqueued_) {
      auto message = queue.DequeueWait(seconds(60));
      if (!message) return;
      message->Ack();
      ++got;
    }
  });
  Repeat([this] {
    queue_.Enqueue("x");
    ++enqueued_;
    std::this_thread::sleep_for(milliseconds(1));
  });
  CutSome(20);
  Join();
  ++enqueued_;
  is_all_counted = true;
  queue_.Enqueue("x");  // Wakes the consumer for the last time.
  consumer.join();
  EXPECT_EQ(got, enqueued_);
}

}  // namespace
}  // namespace pgqrs::testing
