// A server that refuses, gives up or does not answer: each time the error says what it was, nothing
// is lost, and the store works again when the cause is gone.
#include <chrono>
#include <string>
#include <thread>

#include "postgres/postgres_test.h"
#include "support/stranger.h"

namespace pgqrs::testing {
namespace {

class ServerTroubles : public PostgresTest {
 protected:
  ServerTroubles() { config().connection_timeout = seconds(2); }

  // For sessions that begin from now on.
  void Set(const std::string& setting) { Alter("SET " + setting); }
  void Reset(const std::string& name) { Alter("RESET " + name); }

  // Ends the sessions of the store, some of them perhaps only while they get what is sent next: an
  // enqueue is then repeated, as one that may be stored.
  void EndSessions() { Shell().Query("SELECT pg_terminate_backend(pid)" + others_); }

  void AwaitNoSession() {
    const auto deadline = std::chrono::steady_clock::now() + minutes(1);
    auto shell = Shell();
    shell.Execute("SET idle_session_timeout = 0");
    while (shell.QueryInt("SELECT count(*)" + others_) > 0) {
      ASSERT_LT(std::chrono::steady_clock::now(), deadline);
      std::this_thread::sleep_for(milliseconds(10));
    }
  }

  // Gives messages that wait to a worker and back, acks one, and has so many left afterwards.
  void ExpectWorks(PgqrsStore& store, std::int64_t left) {
    auto queue = store.Queue("jobs");
    queue.Enqueue("more");
    auto message = queue.Dequeue().value();
    EXPECT_TRUE(message.Release());
    EXPECT_TRUE(queue.Dequeue().value().Ack());
    EXPECT_EQ(queue.Metrics().waiting, left);
    Open().Admin().Verify();
  }

 private:
  void Alter(const std::string& change) {
    auto shell = Shell();
    shell.Execute("SET default_transaction_read_only = off");
    const auto database = shell.QueryText("SELECT current_database()");
    shell.Execute("ALTER DATABASE " + database + " " + change);
  }

  const std::string others_ =
      " FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() "
      "AND backend_type = 'client backend'";
};

// The parameter is a setting that ends what waits for a lock.
class Impatient : public ServerTroubles, public ::testing::WithParamInterface<const char*> {};

INSTANTIATE_TEST_SUITE_P(Settings, Impatient,
                         ::testing::Values("statement_timeout", "lock_timeout"),
                         [](const auto& tested) { return std::string(tested.param); });

TEST_P(Impatient, ServerIsReportedAsBusy) {
  Set(std::string(GetParam()) + " = '300ms'");
  auto store = Open();
  auto queue = store.Queue("jobs");
  queue.Enqueue("before");
  auto message = queue.Dequeue().value();
  auto other = Shell();
  other.Execute("BEGIN; LOCK TABLE pgqrs_batches, pgqrs_slices IN ACCESS EXCLUSIVE MODE");

  EXPECT_THAT(MessageOf<PgqrsConnectionError>([&] { queue.Enqueue("refused"); }),
              AllOf(HasSubstr("EnqueueBatch: "), HasSubstr("canceling statement")));
  EXPECT_THAT(MessageOf<PgqrsConnectionError>([&] { queue.Dequeue(); }),
              AllOf(HasSubstr("TakeMessages"), HasSubstr("canceling statement")));
  EXPECT_THAT(MessageOf<PgqrsConnectionError>([&] { message.Ack(); }),
              HasSubstr("canceling statement"));
  EXPECT_THAT(MessageOf<PgqrsConnectionError>([&] { queue.Metrics(); }),
              HasSubstr("canceling statement"));
  other.Execute("COMMIT");

  EXPECT_TRUE(message.Ack());
  ExpectWorks(store, 0);
}

TEST_F(ServerTroubles, SessionsThatWereIdleTooLongAreOpenedAgain) {
  Set("idle_session_timeout = '50ms'");
  auto store = Open();
  auto queue = store.Queue("jobs");
  queue.Enqueue("x");
  auto message = queue.Dequeue().value();
  queue.Metrics();
  AwaitNoSession();
  EXPECT_TRUE(message.Release());
  AwaitNoSession();
  EXPECT_EQ(queue.Metrics().waiting, 1);
  AwaitNoSession();
  EXPECT_EQ(store.PurgeQueue("jobs"), 1);
  AwaitNoSession();
  ExpectWorks(store, 0);
}

TEST_F(ServerTroubles, TransactionsAreNotLeftIdle) {
  Set("idle_in_transaction_session_timeout = '1s'");
  auto store = Open();
  ExpectWorks(store, 0);
  store.Queue("jobs").EnqueueBatch(std::vector<Json>(1000, "x"));
  EXPECT_EQ(store.PurgeQueue("jobs"), 1000);
}

TEST_F(ServerTroubles, AServerThatOnlyReadsSaysSo) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  queue.Enqueue("before");
  Set("default_transaction_read_only = on");
  EndSessions();

  EXPECT_THAT(MessageOf<InternalError>([&] { queue.Enqueue("refused"); }),
              AllOf(HasSubstr("EnqueueBatch"), HasSubstr("read-only")));
  EXPECT_THAT(MessageOf<InternalError>([&] { queue.Dequeue(); }), HasSubstr("read-only"));
  EXPECT_EQ(queue.Metrics().waiting, 1);
  Reset("default_transaction_read_only");
  EndSessions();

  ExpectWorks(store, 1);
}

TEST_F(ServerTroubles, ARightThatIsTakenAwaySaysSo) {
  auto owner = Open();
  owner.Queue("jobs").Enqueue("before");
  const auto role = NewRole();
  auto shell = Shell();
  const auto all = " IN SCHEMA public TO " + role;
  shell.Execute("GRANT ALL ON ALL TABLES" + all);
  shell.Execute("GRANT ALL ON ALL SEQUENCES" + all);
  shell.Execute("GRANT ALL ON ALL FUNCTIONS" + all);
  auto as_role = config();
  as_role.dsn = DsnAs(role);
  auto store = PgqrsStore::Connect(as_role);
  ExpectWorks(store, 1);
  auto queue = store.Queue("jobs");
  const std::string rights = " INSERT, UPDATE ON pgqrs_batches, pgqrs_slices ";

  shell.Execute("REVOKE" + rights + "FROM " + role);
  EXPECT_THAT(MessageOf<InternalError>([&] { queue.Enqueue("refused"); }),
              AllOf(HasSubstr("EnqueueBatch: "), HasSubstr("permission denied")));
  EXPECT_THAT(MessageOf<InternalError>([&] { queue.Dequeue(); }), HasSubstr("permission denied"));
  shell.Execute("GRANT" + rights + "TO " + role);

  ExpectWorks(store, 1);
}

TEST_F(ServerTroubles, ASchemaThatIsAwaySaysSo) {
  config().schema = "ours";
  auto store = Open();
  auto queue = store.Queue("jobs");
  queue.Enqueue("before");

  Shell().Execute("ALTER SCHEMA ours RENAME TO away");
  EndSessions();
  EXPECT_THAT(MessageOf<InternalError>([&] { queue.Enqueue("refused"); }),
              AllOf(HasSubstr("EnqueueBatch"), HasSubstr("does not exist")));
  EXPECT_THAT(MessageOf<InternalError>([&] { queue.Dequeue(); }), HasSubstr("does not exist"));
  EXPECT_THAT(MessageOf<InternalError>([&] { queue.Metrics(); }), HasSubstr("does not exist"));
  Shell().Execute("ALTER SCHEMA away RENAME TO ours");
  ExpectWorks(store, 1);

  Shell().Execute("SET client_min_messages = warning; DROP SCHEMA ours CASCADE");
  EXPECT_THAT(MessageOf<InternalError>([&] { queue.Enqueue("refused"); }),
              HasSubstr("does not exist"));
}

TEST_F(ServerTroubles, APasswordThatIsNotTakenIsNotShown) {
  const PostgresServer server({.fsync = false});
  config().dsn = server.tcp_dsn();
  const auto password = config().dsn.substr(22, config().dsn.find('@') - 22);
  auto store = Open();
  auto queue = store.Queue("jobs");
  queue.Enqueue("before");
  PostgresShell shell(server.dsn());
  const auto set_password = [&](const std::string& text) {
    shell.Execute("ALTER ROLE postgres PASSWORD '" + text + "'");
    shell.Query(
        "SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity "
        "WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'");
  };
  const auto refused = AllOf(HasSubstr("password authentication failed"), Not(HasSubstr(password)));

  set_password("another");
  EXPECT_THAT(MessageOf<PgqrsConnectionError>([&] { Open(); }), refused);
  EXPECT_THAT(MessageOf<PgqrsConnectionError>([&] { queue.Enqueue("refused"); }), refused);
  EXPECT_THAT(MessageOf<PgqrsConnectionError>([&] { queue.Metrics(); }), refused);
  set_password(password);

  ExpectWorks(store, 1);
}

TEST_F(ServerTroubles, AHostThatDoesNotAnswerIsGivenUp) {
  const Stranger silent("");
  config().dsn = silent.dsn("user:secret");
  EXPECT_THAT(
      MessageOf<PgqrsConnectionError>([&] { Open(); }),
      AllOf(HasSubstr("cannot connect"), HasSubstr("timeout expired"), Not(HasSubstr("secret"))));
}

TEST_F(ServerTroubles, AnAddressWhereNobodyIsIsGivenUp) {
  config().dsn = "postgresql://user:secret@192.0.2.1:5432/database";  // Reserved for examples.
  EXPECT_THAT(MessageOf<PgqrsConnectionError>([&] { Open(); }),
              AllOf(HasSubstr("cannot connect"), Not(HasSubstr("secret"))));
}

TEST_F(ServerTroubles, WhatIsNoPostgresIsRefused) {
  for (const auto& answer :
       {std::string("HTTP/1.1 400 Bad Request\r\n\r\n"), std::string("R\0\0\0\1", 5)}) {
    const Stranger stranger(answer);
    config().dsn = stranger.dsn("user:secret");
    EXPECT_THAT(MessageOf<PgqrsConnectionError>([&] { Open(); }),
                AllOf(HasSubstr("cannot connect"), Not(HasSubstr("secret"))));
  }
}

}  // namespace
}  // namespace pgqrs::testing
