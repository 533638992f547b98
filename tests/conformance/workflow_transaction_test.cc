// Steps that work on the database in the transaction that records them.
#include <stdexcept>

#include "conformance/workflow_test.h"

namespace pgqrs::testing {
namespace {

using ::testing::HasSubstr;

class WorkflowTransactions : public WorkflowTest {
 protected:
  // A statement with one parameter in the words of the backend.
  static std::string WithParameter(std::string_view before, std::string_view type,
                                   std::string_view after = "") {
    const bool is_server = GetParam().name == "Postgres";
    return std::string(before) + (is_server ? "$1::" + std::string(type) : "?1") +
           std::string(after);
  }

  // Runs a workflow of one transaction step, and gives its result.
  template <typename F>
  auto RunOnce(PgqrsStore& store, F body) {
    const auto workflow = DefineWorkflow(
        "transaction", [&](RunContext& run) { return run.TransactionStep("step", body); });
    WorkflowWorker worker(store, {workflow});
    worker.Start();
    return store.Trigger(workflow).Result(kLongEnough);
  }

  static std::int64_t Number(const SqlValue& value) { return std::get<std::int64_t>(value); }

  std::int64_t CountRows(PgqrsStore& store) {
    return RunOnce(store, [](Transaction& transaction) {
      return Number(transaction.Query("SELECT count(*) FROM effects").at(0).at(0));
    });
  }
  void MakeTable(PgqrsStore& store) {
    RunOnce(store, [](Transaction& transaction) {
      transaction.Execute("CREATE TABLE effects (x bigint)");
      return 0;
    });
  }
};
PGQRS_ON_EVERY_BACKEND(WorkflowTransactions);

TEST_P(WorkflowTransactions, EffectsAndTheRecordOfTheStepAreThereTogether) {
  auto& store = OpenStore();
  MakeTable(store);
  std::atomic<int> bodies = 0;
  const auto workflow = DefineWorkflow("once", [&](RunContext& run) {
    const auto changed = run.TransactionStep("insert", [&](Transaction& transaction) {
      ++bodies;
      return transaction.Execute("INSERT INTO effects VALUES (1), (2)");
    });
    run.Sleep(seconds(1));
    return changed;
  });
  WorkflowWorker worker(store, {workflow});
  worker.Start();
  const auto run = store.Trigger(workflow);
  ASSERT_TRUE(ComesToRest(run));
  EXPECT_EQ(StepsOf(run).at(0).kind, StepKind::kTransaction);
  Advance(seconds(1));
  EXPECT_EQ(run.Result(kLongEnough), 2);
  EXPECT_EQ(bodies, 1);
  EXPECT_EQ(CountRows(store), 2);
}

TEST_P(WorkflowTransactions, ABodyThatThrowsLeavesNothing) {
  auto& store = OpenStore();
  MakeTable(store);
  std::atomic<int> tries = 0;
  const auto workflow = DefineWorkflow("retried", [&](RunContext& run) {
    return run.TransactionStep("insert",
                               [&](Transaction& transaction) {
                                 transaction.Execute("INSERT INTO effects VALUES (1)");
                                 if (++tries < 3) throw std::runtime_error("try again");
                                 return tries.load();
                               },
                               {.retry = StepRetryPolicy{.backoff = Backoff::Fixed(seconds(0))}});
  });
  WorkflowWorker worker(store, {workflow});
  worker.Start();
  EXPECT_EQ(store.Trigger(workflow).Result(kLongEnough), 3);
  EXPECT_EQ(CountRows(store), 1);
}

TEST_P(WorkflowTransactions, AStatementThatFailsFailsTheStepWhateverTheBodyDoes) {
  auto& store = OpenStore();
  MakeTable(store);
  const auto error = MessageOf<WorkflowError>([&] {
    RunOnce(store, [](Transaction& transaction) {
      transaction.Execute("INSERT INTO effects VALUES (1)");
      try {
        transaction.Execute("INSERT INTO nowhere VALUES (1)");
      } catch (const Error&) {  // NOLINT(bugprone-empty-catch)
      }
      return 0;
    });
  });
  EXPECT_THAT(error, HasSubstr("nowhere"));
  EXPECT_EQ(CountRows(store), 0);
}

TEST_P(WorkflowTransactions, ValuesOfEachTypeComeBackAsTheyWere) {
  auto& store = OpenStore();
  const auto echo = [&](const SqlValue& value, std::string_view type) {
    std::optional<SqlValue> back;
    RunOnce(store, [&](Transaction& transaction) {
      back = transaction.Query(WithParameter("SELECT ", type), {value}).at(0).at(0);
      return 0;
    });
    return *back;
  };
  const auto expect_back = [&](const SqlValue& value, std::string_view type) {
    EXPECT_TRUE(echo(value, type) == value) << type;
  };
  expect_back(std::monostate(), "text");
  expect_back(std::int64_t{-5}, "bigint");
  expect_back(std::numeric_limits<std::int64_t>::max(), "bigint");
  expect_back(2.5, "float8");
  expect_back(std::string("text with 'quotes' and \xc3\xa9"), "text");
  expect_back(Blob{std::byte{0}, std::byte{255}, std::byte{39}}, "bytea");
}

TEST_P(WorkflowTransactions, TheStoreItselfIsNotUsedInABody) {
  auto& store = OpenStore();
  const auto error = MessageOf<WorkflowError>(
      [&] { RunOnce(store, [&](Transaction&) { return store.Queue("jobs").Enqueue("x"); }); });
  EXPECT_THAT(error, HasSubstr("inside of a transaction step"));
}

TEST_P(WorkflowTransactions, ABodyDoesNotEndItsTransaction) {
  auto& store = OpenStore();
  for (const auto* sql : {"COMMIT", "ROLLBACK", "BEGIN", "SAVEPOINT a"}) {
    EXPECT_THROW(RunOnce(store,
                         [&](Transaction& transaction) {
                           transaction.Execute(sql);
                           return 0;
                         }),
                 WorkflowError)
        << sql;
  }
}

TEST_P(WorkflowTransactions, OneStatementAtATime) {
  auto& store = OpenStore();
  MakeTable(store);
  EXPECT_THROW(RunOnce(store,
                       [](Transaction& transaction) {
                         transaction.Execute(
                             "INSERT INTO effects VALUES (1); INSERT INTO effects VALUES (2)");
                         return 0;
                       }),
               WorkflowError);
  EXPECT_EQ(CountRows(store), 0);
}

}  // namespace
}  // namespace pgqrs::testing
