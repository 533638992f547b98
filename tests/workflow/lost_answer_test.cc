// A connection to Postgres that is lost when nobody can tell whether its transaction was committed:
// each request on runs is repeated, and happens once.
#include "postgres/postgres_test.h"
#include "support/cutting_proxy.h"
#include "workflow/transaction_step.h"
#include "workflow/workflow_test.h"

namespace pgqrs::testing {
namespace {

using When = CuttingProxy::When;
using ::testing::IsEmpty;

// The parameter says when the connection is cut.
class LostRunAnswer : public PostgresTest, public ::testing::WithParamInterface<When> {
 protected:
  LostRunAnswer() {
    config().dsn = proxy_.dsn();
    // Has each statement prepared.
    store_.Trigger();
    const auto run = store_.TakeAndStart();
    store_.Record(run, StepOf("a"));
    store_.Finish(run);
    store_.TriggerWithKey("first");
    store_.Cancel(store_.TakeAndStart().run.id);
  }

  void CutAt(const std::string& statement) { proxy_.CutAt(statement, GetParam()); }
  void ExpectSound() {
    EXPECT_EQ(proxy_.cuts(), 1);
    EXPECT_THAT(store_.Damage(), IsEmpty());
  }
  Started NewRun() {
    store_.Trigger();
    return store_.TakeAndStart();
  }

  CuttingProxy proxy_{config().dsn};
  RunStore store_{Config(proxy_.dsn())};
};

INSTANTIATE_TEST_SUITE_P(Cut, LostRunAnswer, ::testing::Values(When::kBefore, When::kAfter),
                         [](const auto& tested) {
                           return tested.param == When::kBefore ? "Before" : "After";
                         });

TEST_P(LostRunAnswer, ARunIsTriggeredOnce) {
  CutAt("InsertRuns");
  const auto id = store_.Trigger();
  const auto run = store_.TakeAndStart();
  EXPECT_EQ(run.run.id, id);
  EXPECT_THAT(store_.Take(), IsEmpty());
  EXPECT_EQ(store_.Finish(run), Outcome::kDone);
  ExpectSound();
}

TEST_P(LostRunAnswer, ARunWithAKeyIsTriggeredOnceAndIsNew) {
  CutAt("InsertSlice");
  const auto triggered = store_.TriggerWithKey("key");
  EXPECT_TRUE(triggered.is_new);
  EXPECT_EQ(store_.TakeAndStart().run.id, triggered.run_id);
  EXPECT_THAT(store_.Take(), IsEmpty());
  ExpectSound();
}

TEST_P(LostRunAnswer, AStartRaisesTheEpochOnce) {
  store_.Trigger();
  const auto taken = store_.Take();
  CutAt("StartRuns");
  const auto run = store_.Start(taken[0].id, taken[0].lease_token);
  EXPECT_EQ(run.outcome, Outcome::kDone);
  EXPECT_EQ(run.epoch, 1);
  EXPECT_EQ(store_.Record(run, StepOf("a")), Outcome::kDone);
  ExpectSound();
}

TEST_P(LostRunAnswer, AStepIsRecordedOnce) {
  const auto run = NewRun();
  CutAt("RecordSteps");
  EXPECT_EQ(store_.Record(run, StepOf("a", Json("x"))), Outcome::kDone);
  EXPECT_EQ(store_.StepsOf(run.run.id).size(), 1U);
  ExpectSound();
}

TEST_P(LostRunAnswer, ARunEndsOnce) {
  const auto run = NewRun();
  CutAt("FinishRuns");
  EXPECT_EQ(store_.Finish(run), Outcome::kDone);
  EXPECT_EQ(store_.Status(run.run.id), RunStatus::kSuccess);
  ExpectSound();
}

TEST_P(LostRunAnswer, ARunIsSuspendedOnce) {
  const auto run = NewRun();
  CutAt("UpdateSlice");
  EXPECT_EQ(store_.Suspend(run, [](auto& request) { request.delay = Duration::zero(); }),
            Outcome::kDone);
  EXPECT_EQ(store_.TakeAndStart().epoch, 2);
  ExpectSound();
}

TEST_P(LostRunAnswer, AnEventIsReceivedOnce) {
  const auto run = NewRun();
  store_.Send(run.run.id, "go", "first");
  store_.Send(run.run.id, "go", "second");
  CutAt("DeleteEvent");
  EXPECT_EQ(store_.Receive(run, "go"), "first");
  EXPECT_EQ(store_.StepsOf(run.run.id).size(), 1U);
  ExpectSound();
}

TEST_P(LostRunAnswer, AnEventThatMayHaveBeenSentIsAnErrorAndIsThereOnceAtMost) {
  const auto run = NewRun();
  CutAt("InsertEvent");
  EXPECT_THROW(store_.Send(run.run.id, "go", "x"), Error);
  EXPECT_EQ(store_.Receive(run, "go"), GetParam() == When::kBefore ? "" : "x");
}

TEST_P(LostRunAnswer, AStepInATransactionTakesEffectOnce) {
  const auto run = NewRun();
  Shell().Execute("CREATE TABLE notes (note text)");
  CutAt("COMMIT");
  workflow::TransactionStep step(
      run.run, run.epoch, StepOf("write", std::nullopt), [](driver::Connection& connection) {
        connection.Query("INSERT INTO notes VALUES ('x')", {}, [](const auto&) {});
        return Json("written");
      });
  store_.core().engine().Transact(
      [&](driver::Connection& connection) { step.Run(connection); },
      [&](driver::Connection& connection) { return step.IsRecorded(connection); });
  EXPECT_EQ(step.outcome(), Outcome::kDone);
  EXPECT_EQ(step.output(), Json("written"));
  EXPECT_EQ(Shell().QueryInt("SELECT count(*) FROM notes"), 1);
  EXPECT_EQ(store_.StepsOf(run.run.id).size(), 1U);
  ExpectSound();
}

}  // namespace
}  // namespace pgqrs::testing
