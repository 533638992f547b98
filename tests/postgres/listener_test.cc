// Wake-ups between stores, at the driver's interface where what is said matters, and through stores
// where only that somebody wakes does.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <pgqrs/pgqrs.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "driver/driver.h"
#include "driver/postgres/announcement_text.h"
#include "support/can_fork.h"
#include "support/postgres_server.h"
#include "support/postgres_shell.h"
#include "support/process.h"

namespace pgqrs::testing {
namespace {

using driver::Announcement;
using std::chrono::minutes;
using ::testing::Lt;

// Against hanging only.
constexpr auto kPatience = minutes(1);

// One store's database, and what it hears.
class Hearer {
 public:
  explicit Hearer(const Config& config, bool armed = true)
      : database_(driver::MakeDatabase(config)) {
    listener_ = database_->Listen([this](const Announcement& announcement) {
      const std::lock_guard lock(mutex_);
      heard_.push_back(announcement);
      changed_.notify_all();
    });
    listener_->SetArmed(armed);
  }

  void SetArmed(bool armed) { listener_->SetArmed(armed); }
  bool is_deaf() const { return listener_->is_deaf(); }
  void Announce(std::int64_t queue_id, std::int64_t visible_at = 0) {
    database_->Announce({.queue_id = queue_id, .visible_at = visible_at});
  }

  // Waits until it has heard of this queue, and gives the visible time; -1 where it never does.
  std::int64_t Await(std::int64_t queue_id) {
    std::unique_lock lock(mutex_);
    auto found = heard_.end();
    changed_.wait_for(lock, kPatience, [&] {
      found = std::find_if(heard_.begin(), heard_.end(),
                           [&](const auto& heard) { return heard.queue_id == queue_id; });
      return found != heard_.end();
    });
    return found == heard_.end() ? -1 : found->visible_at;
  }

  // The connection has begun to hear, so look at every queue.
  bool AwaitBegin() { return Await(0) == 0; }

  bool HasHeard(std::int64_t queue_id) {
    const std::lock_guard lock(mutex_);
    return std::any_of(heard_.begin(), heard_.end(),
                       [&](const auto& heard) { return heard.queue_id == queue_id; });
  }

  void Forget() {
    const std::lock_guard lock(mutex_);
    heard_.clear();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Announcement> heard_;
  std::unique_ptr<driver::Database> database_;
  std::unique_ptr<driver::ChangeListener> listener_;
};

// Waits for what another process does.
template <typename Condition>
bool AwaitThat(Condition condition) {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

std::string Notify(const std::string& schema, const std::string& payload) {
  return "SELECT pg_notify('" + driver::ChannelOf(schema) + "', '" + payload + "')";
}

// Whether the session has a notification, which is taken out.
bool IsNotified(PostgresShell& shell) {
  const std::unique_ptr<PGnotify, decltype(&PQfreemem)> next(PQnotifies(shell.connection()),
                                                             &PQfreemem);
  return next != nullptr;
}

// Each test has a schema of its own, and with it a channel.
class Listener : public ::testing::Test {
 protected:
  Listener() {
    config_.schema = SharedPostgres().NewSchema();
    config_.fallback_poll_interval = std::chrono::hours(1);
    config_.heartbeat_interval = std::chrono::hours(1);
  }

  // A session that has nothing to do with the library.
  void SayFromElsewhere(const std::string& payload) {
    PostgresShell(config_.dsn).Execute(Notify(config_.schema, payload));
  }

  // Enqueues in another process while a consumer of this one waits, and expects it to wake.
  void ExpectWokenByAnotherProcess(const std::string& delay_in_ms) {
    auto store = PgqrsStore::Connect(config_);
    auto queue = store.Queue("jobs");
    auto waiting = queue.DequeueWaitAsync(minutes(1));
    Process child({"--child", config_.dsn, config_.schema, delay_in_ms});
    const auto message = waiting.Get();
    EXPECT_EQ(child.Wait(), 0);
    ASSERT_TRUE(message);
    EXPECT_EQ(message->payload().AsString(), "from another process");
    EXPECT_GE(message->dequeued_at(), message->visible_at());
  }

  Config config_{SharedPostgres().dsn()};
};

TEST_F(Listener, HearsAnotherStoreOfTheProcessButNotItself) {
  Hearer one(config_);
  Hearer two(config_);

  one.Announce(7, 1234);
  EXPECT_EQ(two.Await(7), 1234);
  two.Announce(8, 5678);
  EXPECT_EQ(one.Await(8), 5678);

  EXPECT_FALSE(one.HasHeard(7));
  EXPECT_FALSE(two.HasHeard(8));
}

TEST_F(Listener, DoesNotHearTheSameTwiceThroughTheServer) {
  Hearer one(config_);
  Hearer two(config_);
  ASSERT_TRUE(two.AwaitBegin());
  PostgresShell shell(config_.dsn);
  shell.Execute("LISTEN " + driver::ChannelOf(config_.schema));
  one.Announce(7);
  ASSERT_EQ(two.Await(7), 0);
  two.Forget();

  // Once the server has told everybody, what it is told later comes later.
  ASSERT_TRUE(AwaitThat([&] {
    shell.Execute("SELECT 1");
    return IsNotified(shell);
  }));
  SayFromElsewhere("elsewhere 9:1");

  EXPECT_EQ(two.Await(9), 1);
  EXPECT_FALSE(two.HasHeard(7));
}

TEST_F(Listener, HearsNothingOfAnotherSchema) {
  Hearer here(config_);
  auto other_config = config_;
  other_config.schema = SharedPostgres().NewSchema();
  Hearer there(other_config);
  ASSERT_TRUE(here.AwaitBegin());

  there.Announce(7);
  SayFromElsewhere("elsewhere 9:1");

  EXPECT_EQ(here.Await(9), 1);
  EXPECT_FALSE(here.HasHeard(7));
}

TEST_F(Listener, HearsAnyQueueOnceItListensSinceThatMayHaveComeTooLate) {
  Hearer hearer(config_);
  EXPECT_TRUE(hearer.AwaitBegin());
}

TEST_F(Listener, ToldWhenArmedWhatItHeardWhileItWasNot) {
  Hearer here(config_, /*armed=*/false);
  Hearer there(config_);
  Hearer witness(config_);

  there.Announce(7, 30);
  there.Announce(7, 20);
  there.Announce(8);
  ASSERT_EQ(witness.Await(8), 0);
  EXPECT_FALSE(here.HasHeard(7));

  here.SetArmed(true);
  EXPECT_EQ(here.Await(7), 20);
}

TEST_F(Listener, HearsTheSchemaOfAnyName) {
  for (const char* schema : {"we\"ird 'schema'; --", "\xc3\xa9t\xc3\xa9", "UPPER",
                             "a_name_that_is_as_long_as_the_server_allows_a_name_to_be_in_all"}) {
    config_.schema = schema;
    Hearer hearer(config_);
    ASSERT_TRUE(hearer.AwaitBegin()) << schema;
    SayFromElsewhere("elsewhere 9:1");
    EXPECT_EQ(hearer.Await(9), 1) << schema;
    EXPECT_FALSE(hearer.is_deaf()) << schema;
  }
}

TEST_F(Listener, ManyStoresShareOneConnection) {
  config_.dsn += config_.dsn.find('?') == std::string::npos ? '?' : '&';
  config_.dsn += "application_name=" + config_.schema;
  std::vector<std::unique_ptr<Hearer>> hearers;
  for (int i = 0; i < 10; ++i) {
    config_.connection_timeout = std::chrono::seconds(10 + i);
    hearers.push_back(std::make_unique<Hearer>(config_));
  }
  for (auto& hearer : hearers) {
    ASSERT_TRUE(hearer->AwaitBegin());
    hearer->Announce(7);
  }
  const auto count =
      "SELECT count(*) FROM pg_stat_activity WHERE application_name = '" + config_.schema + "'";
  PostgresShell shell(SharedPostgres().dsn());
  EXPECT_EQ(shell.QueryInt(count), 1);

  hearers.clear();
  EXPECT_TRUE(AwaitThat([&] { return shell.QueryInt(count) == 0; }));
}

TEST_F(Listener, AThousandAnnouncementsAreFewNotifications) {
  PostgresShell shell(config_.dsn);
  shell.Execute("LISTEN " + driver::ChannelOf(config_.schema));
  {
    const auto database = driver::MakeDatabase(config_);
    for (int i = 1000; i >= 1; --i) database->Announce({.queue_id = 7, .visible_at = i});
  }
  shell.Execute(Notify(config_.schema, "the end"));

  int count = 0;
  std::int64_t earliest = 1000;
  while (PGnotify* next = PQnotifies(shell.connection())) {
    for (const auto& one : driver::ReadAnnouncementText(next->extra).announcements) {
      if (one.queue_id == 7) earliest = std::min(earliest, one.visible_at);
    }
    PQfreemem(next);
    ++count;
  }
  EXPECT_EQ(earliest, 1) << "what came just before the end is sent too";
  EXPECT_THAT(count, Lt(100));
}

TEST_F(Listener, AConsumerIsWokenByAnotherProcess) { ExpectWokenByAnotherProcess("0"); }

TEST_F(Listener, AConsumerIsWokenByADelayedMessageOfAnotherProcess) {
  ExpectWokenByAnotherProcess("100");
}

TEST_F(Listener, HearsAgainAfterItsConnectionWasTerminated) {
  Hearer hearer(config_);
  PostgresShell shell(config_.dsn);
  for (int i = 1; i <= 3; ++i) {
    ASSERT_TRUE(hearer.AwaitBegin());
    hearer.Forget();
    shell.Execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN " +
        driver::ChannelOf(config_.schema) + "%'");
    ASSERT_TRUE(hearer.AwaitBegin()) << "it may have missed something";
    SayFromElsewhere("elsewhere 9:" + std::to_string(i));
    EXPECT_EQ(hearer.Await(9), i);
  }
}

TEST_F(Listener, HearsAgainAfterARestartOfTheServer) {
  PostgresServer server({.fsync = false});
  config_.dsn = server.dsn();
  Hearer one(config_);
  Hearer two(config_);
  for (const auto mode : {PostgresServer::StopMode::kFast, PostgresServer::StopMode::kImmediate}) {
    ASSERT_TRUE(one.AwaitBegin());
    server.Stop(mode);
    one.Forget();
    two.Announce(7, 42);
    EXPECT_EQ(one.Await(7), 42) << "the stores of one process do not need the server";
    server.Start();
    ASSERT_TRUE(one.AwaitBegin());
    SayFromElsewhere("elsewhere 9:1");
    EXPECT_EQ(one.Await(9), 1);
  }
}

TEST_F(Listener, FindsOutThatItIsDeafBehindAPoolerOfTransactionsAndStillSpeaks) {
  if (!PostgresServer::HasPooler()) GTEST_SKIP() << "pgbouncer is not installed";
  const PostgresServer server({.fsync = false});
  const auto pooler = PostgresServer::PoolerOf(server, "transaction");
  config_.dsn = server.dsn();
  Hearer direct(config_);
  ASSERT_TRUE(direct.AwaitBegin());

  config_.dsn = pooler.dsn();
  Hearer pooled(config_);
  EXPECT_TRUE(AwaitThat([&] { return pooled.is_deaf(); }));
  EXPECT_FALSE(direct.is_deaf());

  pooled.Announce(7, 42);
  EXPECT_EQ(direct.Await(7), 42);
}

TEST_F(Listener, HearsBehindAPoolerOfSessions) {
  if (!PostgresServer::HasPooler()) GTEST_SKIP() << "pgbouncer is not installed";
  const PostgresServer server({.fsync = false});
  const auto pooler = PostgresServer::PoolerOf(server, "session");
  config_.dsn = pooler.dsn();
  Hearer pooled(config_);
  ASSERT_TRUE(pooled.AwaitBegin());

  PostgresShell(server.dsn()).Execute(Notify(config_.schema, "elsewhere 9:1"));

  EXPECT_EQ(pooled.Await(9), 1);
  EXPECT_FALSE(pooled.is_deaf());
}

TEST_F(Listener, EndsAlthoughTheServerDoesNotAnswer) {
  const int silent = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  ASSERT_EQ(bind(silent, reinterpret_cast<sockaddr*>(&address), size), 0);
  ASSERT_EQ(listen(silent, 5), 0);
  ASSERT_EQ(getsockname(silent, reinterpret_cast<sockaddr*>(&address), &size), 0);
  config_.dsn = "postgresql://127.0.0.1:" + std::to_string(ntohs(address.sin_port)) + "/x";
  config_.connection_timeout = std::chrono::hours(1);
  int accepted = -1;
  {
    Hearer hearer(config_);
    hearer.Announce(7);
    accepted = accept4(silent, nullptr, nullptr, SOCK_CLOEXEC);
  }
  EXPECT_GE(accepted, 0);
  close(accepted);
  close(silent);
}

TEST_F(Listener, AForkedChildSpeaksOverAConnectionOfItsOwn) {
  if (!kCanFork) GTEST_SKIP() << "the sanitizer cannot fork with threads";
  Hearer parent(config_);
  ASSERT_TRUE(parent.AwaitBegin());

  const pid_t pid = fork();
  ASSERT_GE(pid, 0);
  if (pid == 0) {
    alarm(60);
    bool good = false;
    {
      Hearer child(config_);
      good = child.AwaitBegin();
      child.Announce(7, 42);
    }
    _exit(good ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(pid, &status, 0), pid);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(parent.Await(7), 42);

  SayFromElsewhere("elsewhere 9:1");
  EXPECT_EQ(parent.Await(9), 1) << "the parent's connection has not suffered";
}

}  // namespace
}  // namespace pgqrs::testing
