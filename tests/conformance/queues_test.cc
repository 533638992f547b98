#include <string>

#include "conformance/conformance_test.h"

namespace pgqrs::testing {
namespace {

using ::testing::HasSubstr;

class Queues : public ConformanceTest {};
PGQRS_ON_EVERY_BACKEND(Queues);

TEST_P(Queues, QueueOpensTheQueueAndCreatesItWhereMissing) {
  auto store = Open();
  const auto created = store.Queue("jobs");
  const auto opened = store.Queue("jobs");
  EXPECT_EQ(opened.id(), created.id());
  EXPECT_EQ(store.ListQueues().size(), 1U);
}

TEST_P(Queues, CreateQueueFailsWhereTheQueueExists) {
  auto store = Open();
  store.CreateQueue("jobs");
  EXPECT_THAT(MessageOf<QueueAlreadyExistsError>([&] { store.CreateQueue("jobs"); }),
              HasSubstr("\"jobs\""));
}

}  // namespace
}  // namespace pgqrs::testing
