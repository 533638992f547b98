#include <string>
#include <vector>

#include "conformance/conformance_test.h"

namespace pgqrs::testing {
namespace {

class Admins : public ConformanceTest {};
PGQRS_ON_EVERY_BACKEND(Admins);

TEST_P(Admins, InstallDoesNothingWhereTheSchemaIsCurrent) {
  auto store = Open();
  const auto id = store.Queue("jobs").Enqueue("x");
  store.Admin().Install();
  store.Admin().Install();
  EXPECT_TRUE(store.FindMessage(id));
  store.Admin().Verify();
}

TEST_P(Admins, ADatabaseThatWasUsedInEveryWayIsSound) {
  auto store = Open();
  store.Admin().Verify();
  auto queue = store.Queue("jobs");
  queue.EnqueueBatch(Payloads(200));
  queue.EnqueueBatch(Payloads(200), {.delay = hours(1), .priority = 0});
  auto messages = queue.DequeueBatch(100);
  for (std::size_t i = 0; i + 5 < messages.size(); i += 6) {
    messages[i].Ack();
    messages[i + 1].Release(seconds(1), "later");
    messages[i + 2].Delete();
    messages[i + 3].DeadLetter("never");
    messages[i + 4].ExtendLease(hours(2));
  }
  store.Admin().Verify();
  queue.ReplayDeadLetter(messages[3].id());
  queue.ApplyRetention({.max_count = 3});
  store.Admin().Verify();
  store.PurgeQueue("jobs");
  queue.PurgeDeadLetters();
  store.Admin().Verify();
  store.DeleteQueue("jobs", true);
  store.Admin().Verify();
}

// The deepest payload that is allowed is sound too.
TEST_P(Admins, TheDeepestPayloadIsSound) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  const auto deepest = std::string(Json::kMaxDepth, '[') + std::string(Json::kMaxDepth, ']');
  const auto id = queue.Enqueue(Json::Parse(deepest));
  store.Admin().Verify();
  EXPECT_EQ(store.FindMessage(id)->payload.text(), deepest);
  EXPECT_TRUE(queue.Dequeue()->Ack());
  EXPECT_EQ(queue.ListArchived().at(0).payload.text(), deepest);
}

TEST_P(Admins, TheQueuesAreThoseOfTheStore) {
  auto store = Open();
  const auto created_at = clock().Now();
  store.Queue("b");
  store.Queue("a");
  std::vector<std::string> names;
  for (const auto& queue : store.Admin().Queues()) {
    names.push_back(queue.queue_name);
    EXPECT_EQ(queue.created_at, created_at);
  }
  EXPECT_THAT(names, ElementsAre("a", "b"));
  EXPECT_EQ(store.ListQueues().size(), 2U);
}

TEST_P(Admins, WithoutInstallSchemaANewDatabaseIsRefused) {
  config().install_schema = false;
  EXPECT_THAT(MessageOf<SchemaError>([&] { Open(); }), ::testing::HasSubstr("install_schema"));
  config().install_schema = true;
  if (!IsShared()) return;
  Open().Queue("jobs");
  config().install_schema = false;
  EXPECT_EQ(Open().ListQueues().size(), 1U);
}

}  // namespace
}  // namespace pgqrs::testing
