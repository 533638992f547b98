// Steps whose bodies work on the database in the transaction that records them.
#include <thread>

#include "workflow/transaction_step.h"
#include "workflow/workflow_test.h"

namespace pgqrs::testing {
namespace {

using driver::Blob;
using driver::Cell;
using driver::Connection;

class TransactionSteps : public WorkflowTest {
 protected:
  static bool IsPostgres() { return GetParam().name == "Postgres"; }
  // With the parameters as the backend names them.
  static std::string Sql(std::string text) {
    if (!IsPostgres()) return text;
    for (auto& letter : text) letter = letter == '?' ? '$' : letter;
    return text;
  }

  static std::int64_t Execute(Connection& connection, const std::string& sql,
                              std::vector<Cell> parameters = {}) {
    return connection.Query(Sql(sql), parameters, [](const driver::QueryRow&) {});
  }

  static std::vector<std::string> Texts(Connection& connection, const std::string& sql) {
    std::vector<std::string> texts;
    connection.Query(Sql(sql), {}, [&](const driver::QueryRow& row) {
      texts.emplace_back(std::get<std::string_view>(row.cells[0]));
    });
    return texts;
  }

  // Carries out a step, and gives its outcome.
  static Outcome Run(RunStore& store, const Started& run, const std::string& name,
                     workflow::TransactionStep::Body body) {
    workflow::TransactionStep step(run.run, run.epoch, StepOf(name, std::nullopt), std::move(body));
    store.core().engine().Transact(
        [&](Connection& connection) { step.Run(connection); },
        [&](Connection& connection) { return step.IsRecorded(connection); });
    return step.outcome();
  }

  static void MakeTable(RunStore& store) {
    store.core().engine().Transact(
        [](Connection& connection) {
          Execute(connection, "CREATE TABLE notes (id INTEGER PRIMARY KEY, note TEXT)");
        },
        [](Connection&) { return false; });
  }

  static std::vector<std::string> Notes(RunStore& store) {
    std::vector<std::string> notes;
    store.core().engine().Transact(
        [&](Connection& connection) {
          notes = Texts(connection, "SELECT note FROM notes ORDER BY id");
        },
        [](Connection&) { return false; });
    return notes;
  }
};
PGQRS_ON_EVERY_BACKEND(TransactionSteps);

TEST_P(TransactionSteps, TheEffectAndTheRecordAreThereTogether) {
  auto store = OpenRuns();
  MakeTable(store);
  const auto id = store.Trigger();
  const auto run = store.TakeAndStart();
  EXPECT_EQ(Run(store, run, "write",
                [](Connection& connection) {
                  Execute(connection, "INSERT INTO notes VALUES (?1, ?2)",
                          {std::int64_t{1}, std::string_view("hello")});
                  return Json("written");
                }),
            Outcome::kDone);
  EXPECT_THAT(Notes(store), ElementsAre("hello"));
  const auto steps = store.StepsOf(id);
  ASSERT_EQ(steps.size(), 1U);
  EXPECT_EQ(steps[0].kind, StepKind::kTransaction);
  EXPECT_EQ(steps[0].status, StepStatus::kSuccess);
  EXPECT_EQ(steps[0].output, Json("written"));
}

TEST_P(TransactionSteps, WhatTheBodyThrowsUndoesItsEffects) {
  auto store = OpenRuns();
  MakeTable(store);
  const auto id = store.Trigger();
  const auto run = store.TakeAndStart();
  struct Mine {};
  EXPECT_THROW(Run(store, run, "write",
                   [](Connection& connection) -> Json {
                     Execute(connection, "INSERT INTO notes VALUES (1, 'hello')");
                     throw Mine();
                   }),
               Mine);
  EXPECT_THAT(Notes(store), ::testing::IsEmpty());
  EXPECT_THAT(store.StepsOf(id), ::testing::IsEmpty());
}

TEST_P(TransactionSteps, AFailedStatementThatTheBodyHidesUndoesAllOrItself) {
  auto store = OpenRuns();
  MakeTable(store);
  store.Trigger();
  const auto run = store.TakeAndStart();
  const auto body = [](Connection& connection) {
    Execute(connection, "INSERT INTO notes VALUES (1, 'first')");
    try {
      Execute(connection, "INSERT INTO notes VALUES (1, 'again')");
    } catch (const driver::Failure& failure) {
      EXPECT_EQ(failure.fault(), driver::Fault::kStatement);
    }
    return Json("hidden");
  };
  if (IsPostgres()) {
    EXPECT_THROW(Run(store, run, "write", body), Error);
    EXPECT_THAT(Notes(store), ::testing::IsEmpty());
  } else {
    EXPECT_EQ(Run(store, run, "write", body), Outcome::kDone);
    EXPECT_THAT(Notes(store), ElementsAre("first"));
  }
}

TEST_P(TransactionSteps, UnderAnOlderEpochTheBodyIsNotCalled) {
  auto store = OpenRuns();
  store.Trigger();
  const auto old = store.TakeAndStart();
  Advance(std::chrono::seconds(31));
  store.TakeAndStart();
  EXPECT_EQ(Run(store, old, "write",
                [](Connection&) {
                  ADD_FAILURE() << "it was called";
                  return Json();
                }),
            Outcome::kStale);
}

// What happens beside a body: on embedded databases it is the only writer.
class BesideTransactionSteps : public TransactionSteps {
 protected:
  void SetUp() override {
    if (!IsPostgres()) GTEST_SKIP() << "the body is the only writer";
  }

  // A body that writes a note and then does `act` on another thread.
  static workflow::TransactionStep::Body Writing(std::function<void()> act) {
    return [act = std::move(act)](Connection& connection) {
      Execute(connection, "INSERT INTO notes VALUES (1, 'hello')");
      std::thread(act).join();
      return Json("written");
    };
  }
};
PGQRS_ON_EVERY_BACKEND(BesideTransactionSteps);

TEST_P(BesideTransactionSteps, TheRunGetsItsEvents) {
  auto store = OpenRuns();
  MakeTable(store);
  const auto id = store.Trigger();
  const auto run = store.TakeAndStart();
  EXPECT_EQ(Run(store, run, "write", Writing([&] { store.Send(id, "go", "now"); })),
            Outcome::kDone);
  EXPECT_EQ(store.Receive(run, "go"), "now");
  EXPECT_THAT(Notes(store), ElementsAre("hello"));
}

TEST_P(BesideTransactionSteps, OneThatIsCancelledIsStillRecorded) {
  auto store = OpenRuns();
  MakeTable(store);
  const auto id = store.Trigger();
  const auto run = store.TakeAndStart();
  EXPECT_EQ(Run(store, run, "write", Writing([&] { EXPECT_EQ(store.Cancel(id), 1); })),
            Outcome::kCancelled);
  EXPECT_THAT(Notes(store), ElementsAre("hello"));
  ASSERT_EQ(store.StepsOf(id).size(), 1U);
  EXPECT_EQ(store.StepsOf(id)[0].status, StepStatus::kSuccess);
}

TEST_P(BesideTransactionSteps, AnotherExecutionUndoesTheEffects) {
  auto store = OpenRuns();
  MakeTable(store);
  const auto id = store.Trigger();
  const auto run = store.TakeAndStart();
  const auto take_over = [&] {
    Advance(std::chrono::seconds(31));
    EXPECT_EQ(store.TakeAndStart().outcome, Outcome::kDone);
  };
  EXPECT_THROW(Run(store, run, "write", Writing(take_over)), workflow::TransactionStep::FencedOff);
  EXPECT_THAT(Notes(store), ::testing::IsEmpty());
  EXPECT_THAT(store.StepsOf(id), ::testing::IsEmpty());
}

TEST_P(TransactionSteps, ValuesOfAllTypesGoInAndComeOut) {
  auto store = OpenRuns();
  const std::string bytes("\0\x01\xff", 3);
  store.core().engine().Transact(
      [&](Connection& connection) {
        Execute(connection,
                IsPostgres()
                    ? "CREATE TABLE vals (i bigint, d double precision, t text, b bytea, n text)"
                    : "CREATE TABLE vals (i INTEGER, d REAL, t TEXT, b BLOB, n TEXT)");
        EXPECT_EQ(Execute(connection, "INSERT INTO vals VALUES (?1, ?2, ?3, ?4, ?5)",
                          {std::int64_t{-7}, 0.1, std::string_view("té'xt"), Blob{bytes},
                           std::monostate()}),
                  1);
        int rows = 0;
        EXPECT_EQ(
            connection.Query("SELECT i, d, t, b, n FROM vals", {},
                             [&](const driver::QueryRow& row) {
                               ++rows;
                               EXPECT_THAT(row.names, ElementsAre("i", "d", "t", "b", "n"));
                               EXPECT_EQ(std::get<std::int64_t>(row.cells[0]), -7);
                               EXPECT_EQ(std::get<double>(row.cells[1]), 0.1);
                               EXPECT_EQ(std::get<std::string_view>(row.cells[2]), "té'xt");
                               EXPECT_EQ(std::get<Blob>(row.cells[3]).bytes, bytes);
                               EXPECT_TRUE(std::holds_alternative<std::monostate>(row.cells[4]));
                             }),
            1);
        EXPECT_EQ(rows, 1);
        EXPECT_EQ(Execute(connection, "UPDATE vals SET i = 1 WHERE i = 5"), 0);
        EXPECT_EQ(Execute(connection, "DELETE FROM vals"), 1);
      },
      [](Connection&) { return false; });
}

TEST_P(TransactionSteps, WhatDoesNotBelongThereIsRefused) {
  auto store = OpenRuns();
  for (const std::string sql : {"COMMIT", " /* x */ -- y\n rollback;", "", "SELECT 1; SELECT 2",
                                "SELECT ?1", "no sql at all"}) {
    EXPECT_THROW(
        store.core().engine().Transact([&](Connection& connection) { Execute(connection, sql); },
                                       [](Connection&) { return false; }),
        Error)
        << sql;
  }
}

TEST_P(TransactionSteps, ABodyThatCallsTheStoreGetsAnError) {
  auto store = OpenRuns();
  EXPECT_THROW(store.core().engine().Transact([&](Connection&) { store.Trigger(); },
                                              [](Connection&) { return false; }),
               Error);
  EXPECT_THROW(store.core().engine().Transact(
                   [&](Connection&) {
                     store.core().engine().Transact([](Connection&) {},
                                                    [](Connection&) { return false; });
                   },
                   [](Connection&) { return false; }),
               Error);
  store.Trigger();
}

TEST_P(TransactionSteps, ManyAtOnceAllHappen) {
  auto store = OpenRuns();
  MakeTable(store);
  std::vector<Started> runs;
  for (int i = 0; i < 12; ++i) store.Trigger();
  for (const auto& message : store.Take(12)) {
    runs.push_back(store.Start(message.id, message.lease_token));
  }
  std::vector<std::thread> threads;
  threads.reserve(runs.size());
  for (std::size_t i = 0; i < runs.size(); ++i) {
    threads.emplace_back([&, i] {
      EXPECT_EQ(Run(store, runs[i], "write",
                    [&](Connection& connection) {
                      Execute(connection, "INSERT INTO notes VALUES (?1, 'x')",
                              {static_cast<std::int64_t>(i)});
                      return Json();
                    }),
                Outcome::kDone);
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(Notes(store).size(), 12U);
}

}  // namespace
}  // namespace pgqrs::testing
