#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pgqrs/pgqrs.h>

#include <string>
#include <vector>

#include "fault/fault_test.h"
#include "support/throws.h"

namespace pgqrs::testing {
namespace {

class FullDisk : public FaultTest {};

TEST_F(FullDisk, NothingAcknowledgedIsLostWhereverTheSpaceEnds) {
  std::int64_t needed = 0;
  RunWorkload([&] { needed = -vfs().grown(); });
  needed += vfs().grown();
  ASSERT_GT(needed, 0);
  for (const auto space : FaultPoints(needed)) {
    SCOPED_TRACE("space for " + std::to_string(space) + " bytes");
    const auto errors = RunWorkload([&] { vfs().SetSpace(space); });
    EXPECT_THAT(errors, Each(AllOf(HasSubstr("disk is full"), Not(HasSubstr("unknown")))));
    if (HasFailure()) return;
  }
}

TEST_F(FullDisk, WhatTakesNoSpaceWorksAndTheRestDoesOnceThereIsSome) {
  const TempFolder folder;
  auto store = PgqrsStore::Connect("sqlite://" + folder.File("queue.db"));
  auto queue = store.Queue("jobs");
  queue.Enqueue("before");
  vfs().SetSpace(0);
  EXPECT_THAT(MessageOf<InternalError>([&] { queue.Enqueue("during"); }),
              HasSubstr("database or disk is full"));
  EXPECT_EQ(queue.Metrics().waiting, 1);
  EXPECT_EQ(store.Admin().Messages().size(), 1U);
  vfs().Lift();
  queue.Enqueue("after");
  EXPECT_EQ(queue.DequeueBatch(10).size(), 2U);
}

}  // namespace
}  // namespace pgqrs::testing
