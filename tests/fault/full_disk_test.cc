#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pgqrs/pgqrs.h>

#include <string>
#include <vector>

#include "fault/fault_test.h"
#include "support/throws.h"

namespace pgqrs::testing {
namespace {

class FullDisk : public EachBackend {
 protected:
  // Runs a workload with space for a part of it, one after another.
  void RunWithoutSpace(void (Workload::*work)(), bool takes_long) {
    constexpr std::int64_t kPageSize = 4096;
    std::int64_t needed = 0;
    RunWorkload([&] { needed = -disk().grown(); }, [&] { needed += disk().grown(); }, work);
    ASSERT_GT(needed, 0);
    for (const auto space : FaultPoints(needed, takes_long)) {
      if (FirstTornWrite() > 1 && space < kPageSize) continue;
      SCOPED_TRACE("space for " + std::to_string(space) + " bytes");
      const auto errors = RunWorkload([&] { disk().SetSpace(space); }, [] {}, work);
      EXPECT_THAT(errors, Each(AllOf(HasSubstr("disk is full"), Not(HasSubstr("unknown")))));
      if (HasFailure()) return;
    }
  }
};

PGQRS_FAULT_SUITE(FullDisk);

TEST_P(FullDisk, NothingAcknowledgedIsLostWhereverTheSpaceEnds) {
  RunWithoutSpace(&Workload::Run, /*takes_long=*/false);
}

TEST_P(FullDisk, NothingAcknowledgedIsLostWhereTheSpaceEndsWhileTheLogIsCopied) {
  RunWithoutSpace(&Workload::RunLarge, /*takes_long=*/true);
}

TEST_P(FullDisk, WhatTakesNoSpaceWorksAndTheRestDoesOnceThereIsSome) {
  const TempFolder folder;
  auto store = PgqrsStore::Connect(DsnFor(folder));
  auto queue = store.Queue("jobs");
  queue.Enqueue("before");
  disk().SetSpace(0);
  EXPECT_THAT(MessageOf<InternalError>([&] { queue.Enqueue("during"); }),
              HasSubstr("database or disk is full"));
  EXPECT_EQ(queue.Metrics().waiting, 1);
  EXPECT_EQ(store.Admin().Messages().size(), 1U);
  disk().Lift();
  queue.Enqueue("after");
  EXPECT_EQ(queue.DequeueBatch(10).size(), 2U);
}

}  // namespace
}  // namespace pgqrs::testing
