#include "queue/slice.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

namespace pgqrs::testing {
namespace {

using queue::BatchSlices;
using queue::Mask;
using queue::Slice;
using queue::SliceState;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::IsNull;

constexpr std::int64_t kBatch = 7;

SliceState State(std::int64_t visible_at) {
  SliceState state;
  state.queue_id = 1;
  state.priority = 5;
  state.visible_at = visible_at;
  return state;
}

std::int64_t Id(int position) { return queue::MessageId(kBatch, position); }

Slice MakeSlice(int key, Mask mask, std::int64_t visible_at) {
  return {.id = Id(key), .mask = mask, .state = State(visible_at)};
}

TEST(MessageIds, AreBatchIdTimes64PlusPosition) {
  EXPECT_EQ(queue::MessageId(1, 0), 64);
  EXPECT_EQ(queue::MessageId(3, 63), 255);
  EXPECT_EQ(queue::BatchOf(255), 3);
  EXPECT_EQ(queue::PositionOf(255), 63);
  EXPECT_EQ(queue::BitOf(255), Mask{1} << 63);
  EXPECT_EQ(queue::BitOf(64), Mask{1});
}

TEST(Masks, FullMaskHasTheLowestBits) {
  EXPECT_EQ(queue::FullMask(1), 0b1U);
  EXPECT_EQ(queue::FullMask(3), 0b111U);
  EXPECT_EQ(queue::FullMask(64), ~Mask{0});
}

TEST(Masks, LowestBitsTakesThatManyOrAll) {
  EXPECT_EQ(queue::LowestBits(0b101100, 2), 0b1100U);
  EXPECT_EQ(queue::LowestBits(0b101100, 3), 0b101100U);
  EXPECT_EQ(queue::LowestBits(0b101100, 100), 0b101100U);
  EXPECT_EQ(queue::LowestBits(0b101100, 0), 0U);
  EXPECT_EQ(queue::LowestBits(0, 5), 0U);
  EXPECT_EQ(queue::LowestBits(~Mask{0}, 64), ~Mask{0});
}

TEST(Masks, ForEachPositionGoesFromTheLowestUp) {
  std::vector<int> positions;
  queue::ForEachPosition(Mask{0b1011} | Mask{1} << 63,
                         [&](int position) { positions.push_back(position); });
  EXPECT_THAT(positions, ElementsAre(0, 1, 3, 63));
}

TEST(NewSlice, HoldsTheWholeBatchUnderItsHighestPosition) {
  EXPECT_EQ(queue::NewSlice(kBatch, 3, State(1)), MakeSlice(2, 0b111, 1));
  EXPECT_EQ(queue::NewSlice(kBatch, 64, State(1)), MakeSlice(63, ~Mask{0}, 1));
}

TEST(BatchSlices, FindGivesTheSliceOfAMessage) {
  const BatchSlices batch(kBatch, {MakeSlice(1, 0b11, 1), MakeSlice(3, 0b1000, 2)});
  EXPECT_EQ(batch.Find(0b1)->id, Id(1));
  EXPECT_EQ(batch.Find(0b1000)->id, Id(3));
  EXPECT_THAT(batch.Find(0b100), IsNull());
}

TEST(BatchSlices, WithoutAChangeThereIsNothingToWrite) {
  BatchSlices batch(kBatch, {MakeSlice(2, 0b111, 1)});
  batch.SetState(0b10, State(1));
  const auto changes = batch.Changes();
  EXPECT_THAT(changes.deleted, IsEmpty());
  EXPECT_THAT(changes.resized, IsEmpty());
  EXPECT_THAT(changes.updated, IsEmpty());
  EXPECT_THAT(changes.inserted, IsEmpty());
}

TEST(BatchSlices, AWholeSliceKeepsItsRowInAnotherState) {
  BatchSlices batch(kBatch, {MakeSlice(2, 0b111, 1)});
  batch.SetState(0b111, State(9));
  const auto changes = batch.Changes();
  EXPECT_THAT(changes.updated, ElementsAre(MakeSlice(2, 0b111, 9)));
  EXPECT_THAT(changes.inserted, IsEmpty());
}

TEST(BatchSlices, TakingTheLowestMessagesLeavesTheRestInItsRow) {
  BatchSlices batch(kBatch, {MakeSlice(3, 0b1111, 1)});
  batch.SetState(0b0011, State(9));
  const auto changes = batch.Changes();
  EXPECT_THAT(changes.resized, ElementsAre(MakeSlice(3, 0b1100, 1)));
  EXPECT_THAT(changes.inserted, ElementsAre(MakeSlice(1, 0b0011, 9)));
  EXPECT_THAT(changes.updated, IsEmpty());
}

TEST(BatchSlices, APartThatHasTheKeyKeepsTheRowAndTheRestMoves) {
  BatchSlices batch(kBatch, {MakeSlice(3, 0b1111, 1)});
  batch.SetState(0b1000, State(9));
  const auto changes = batch.Changes();
  EXPECT_THAT(changes.updated, ElementsAre(MakeSlice(3, 0b1000, 9)));
  EXPECT_THAT(changes.inserted, ElementsAre(MakeSlice(2, 0b0111, 1)));
}

TEST(BatchSlices, MessagesOfOneStateJoin) {
  BatchSlices batch(kBatch, {MakeSlice(3, 0b1100, 1), MakeSlice(1, 0b0011, 9)});
  batch.SetState(0b0100, State(9));
  batch.SetState(0b1000, State(9));
  EXPECT_THAT(batch.slices(), ElementsAre(MakeSlice(1, 0b1111, 9)));
  const auto changes = batch.Changes();
  EXPECT_THAT(changes.deleted, ElementsAre(Id(3)));
  EXPECT_THAT(changes.resized, ElementsAre(MakeSlice(1, 0b1111, 9)));
}

TEST(BatchSlices, RemovingMessagesShrinksTheSliceAndTheLastOneDeletesIt) {
  BatchSlices batch(kBatch, {MakeSlice(1, 0b11, 1)});
  batch.Remove(0b10);
  EXPECT_THAT(batch.Changes().resized, ElementsAre(MakeSlice(1, 0b01, 1)));
  batch.Remove(0b01);
  EXPECT_THAT(batch.slices(), IsEmpty());
  EXPECT_THAT(batch.Changes().deleted, ElementsAre(Id(1)));
}

TEST(BatchSlices, AMessageThatComesBackTakesItsKeyFromTheSliceThatStillHasIt) {
  // The slice is keyed by position 3, which it lost.
  BatchSlices batch(kBatch, {MakeSlice(3, 0b0011, 1)});
  batch.Insert(0b1000, State(9));
  EXPECT_THAT(batch.slices(), ElementsAre(MakeSlice(1, 0b0011, 1), MakeSlice(3, 0b1000, 9)));
  const auto changes = batch.Changes();
  EXPECT_THAT(changes.updated, ElementsAre(MakeSlice(3, 0b1000, 9)));
  EXPECT_THAT(changes.inserted, ElementsAre(MakeSlice(1, 0b0011, 1)));
}

TEST(BatchSlices, AMessageThatComesBackJoinsASliceOfItsState) {
  BatchSlices batch(kBatch, {MakeSlice(1, 0b0011, 1)});
  batch.Insert(0b0100, State(1));
  EXPECT_THAT(batch.Changes().resized, ElementsAre(MakeSlice(1, 0b0111, 1)));
}

TEST(BatchSlices, SlicesThatAreLoadedLaterAreStoredOnes) {
  BatchSlices batch(kBatch);
  batch.AddStored(MakeSlice(1, 0b11, 1));
  batch.SetState(0b11, State(9));
  batch.AddStored(MakeSlice(2, 0b100, 1));
  batch.SetState(0b100, State(9));
  const auto changes = batch.Changes();
  EXPECT_THAT(changes.deleted, ElementsAre(Id(2)));
  EXPECT_THAT(changes.updated, ElementsAre(MakeSlice(1, 0b111, 9)));
  EXPECT_THAT(changes.inserted, IsEmpty());
}

}  // namespace
}  // namespace pgqrs::testing
