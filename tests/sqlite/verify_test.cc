#include <string>
#include <vector>

#include "sqlite/sqlite_test.h"

namespace pgqrs::testing {
namespace {

// Damages a sound database by SQL, as another program might, and looks at what Verify says.
class Verify : public SqliteTest {
 protected:
  Verify() : store_(Open()), queue_(store_.Queue("jobs")) {
    const std::vector<Json> payloads(4, "x");
    queue_.EnqueueBatch(payloads);
    taken_ = queue_.DequeueBatch(2);
    EXPECT_TRUE(taken_[0].Ack());
    store_.Admin().Verify();
  }

  std::string Findings(const std::string& damage) {
    Shell().Execute(damage);
    return MessageOf<SchemaError>([&] { store_.Admin().Verify(); });
  }

 private:
  PgqrsStore store_;
  Queue queue_;
  std::vector<Message> taken_;
};

TEST_F(Verify, ASliceWithoutABatch) {
  EXPECT_THAT(Findings("DELETE FROM pgqrs_batches"),
              AllOf(HasSubstr("the database is damaged"), HasSubstr("slice "),
                    HasSubstr("archive row "), HasSubstr("its batch is missing")));
}

TEST_F(Verify, ABatchWithoutAQueue) {
  EXPECT_THAT(Findings("DELETE FROM pgqrs_queues"), HasSubstr("its queue is missing"));
}

TEST_F(Verify, ABatchWithoutMessages) {
  EXPECT_THAT(Findings("DELETE FROM pgqrs_slices; DELETE FROM pgqrs_archive"),
              HasSubstr("batch 1 has no message in any state"));
}

TEST_F(Verify, AMessageInTwoPlaces) {
  EXPECT_THAT(Findings("UPDATE pgqrs_archive SET mask = 15, n = 4"),
              AllOf(HasSubstr("archive row "), HasSubstr("elsewhere too")));
}

TEST_F(Verify, AMessageThatTheBatchDoesNotHave) {
  EXPECT_THAT(Findings("UPDATE pgqrs_slices SET mask = mask | 16, n = n + 1 WHERE read_ct = 0"),
              HasSubstr("has messages that batch 1 lacks"));
}

TEST_F(Verify, ACountOfASliceThatIsNotThatOfItsMask) {
  EXPECT_THAT(Findings("UPDATE pgqrs_slices SET n = n + 1 WHERE read_ct = 0"),
              AllOf(HasSubstr("slice "), HasSubstr("counts 3 messages and has 2")));
}

TEST_F(Verify, ACountOfAnArchiveRowThatIsNotThatOfItsMask) {
  EXPECT_THAT(Findings("UPDATE pgqrs_archive SET n = 2"),
              AllOf(HasSubstr("archive row "), HasSubstr("counts 2 messages and has 1")));
}

TEST_F(Verify, ASliceOfAnotherQueueThanItsBatch) {
  EXPECT_THAT(Findings("UPDATE pgqrs_slices SET queue_id = 77"),
              AllOf(HasSubstr("slice "), HasSubstr("its batch is missing in its queue")));
}

TEST_F(Verify, AnArchiveRowOfAnotherQueueThanItsBatch) {
  EXPECT_THAT(Findings("UPDATE pgqrs_archive SET queue_id = 77"),
              AllOf(HasSubstr("archive row "), HasSubstr("its batch is missing in its queue")));
}

TEST_F(Verify, PayloadsThatAreNoArrayOfTheBatchesLength) {
  EXPECT_THAT(Findings("UPDATE pgqrs_batches SET payloads = '[1,2]'"),
              HasSubstr("its payloads are no JSON array of its length"));
  EXPECT_THAT(Findings("UPDATE pgqrs_batches SET payloads = 'nonsense'"),
              HasSubstr("its payloads are no JSON array of its length"));
}

TEST_F(Verify, ASequenceThatWouldGiveANumberAgain) {
  EXPECT_THAT(Findings("UPDATE pgqrs_sequences SET next = 1"),
              HasSubstr("its next number is in use"));
}

TEST_F(Verify, AMissingIndex) {
  EXPECT_THAT(Findings("DROP INDEX pgqrs_slices_hot"),
              HasSubstr("index pgqrs_slices_hot is missing"));
}

TEST_F(Verify, AnotherDefinition) {
  EXPECT_THAT(Findings("DROP VIEW pgqrs_messages; CREATE VIEW pgqrs_messages AS SELECT 1 AS id"),
              HasSubstr("view pgqrs_messages has another definition"));
}

TEST_F(Verify, AnObjectThatIsNotOurs) {
  EXPECT_THAT(Findings("CREATE INDEX mine ON pgqrs_slices (read_ct)"),
              HasSubstr("index mine is not part of the schema"));
}

TEST_F(Verify, TheReportIsBounded) {
  const auto report = Findings(
      "WITH RECURSIVE i(x) AS (SELECT 1000 UNION ALL SELECT x + 1 FROM i WHERE x < 3000) "
      "INSERT INTO pgqrs_batches SELECT x, 99, 1, 0, NULL, '[1]' FROM i");
  EXPECT_THAT(report, HasSubstr("its queue is missing"));
  EXPECT_LT(report.size(), 20'000U);
}

}  // namespace
}  // namespace pgqrs::testing
