// Slices under random changes, held against a model that has a row for each message.
#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "queue/slice.h"
#include "support/seeds.h"

namespace pgqrs::testing {
namespace {

using queue::BatchSlices;
using queue::Mask;
using queue::Slice;
using queue::SliceState;

constexpr std::int64_t kBatchOfModel = 12;

// Few enough that messages often have the same one, and slices join.
SliceState RandomState(Random& random) {
  SliceState state;
  state.queue_id = 3;
  state.priority = 5;
  state.visible_at = random.From(1, 3);
  state.read_count = static_cast<int>(random.From(0, 1));
  if (random.OneIn(2)) state.lease_token = 77;
  if (random.OneIn(4)) state.last_error = "failed";
  return state;
}

// A random part of a mask that is not empty.
Mask RandomPart(Random& random, Mask mask) {
  if (random.OneIn(4)) return mask;
  if (random.OneIn(3)) {
    return queue::LowestBits(mask, static_cast<int>(random.From(1, queue::Count(mask))));
  }
  const Mask part = mask & random.Bits();
  return part != 0 ? part : queue::LowestBits(mask, 1);
}

// The table pgqrs_slices, with what its primary key and its statements hold one to.
class Table {
 public:
  const std::map<std::int64_t, Slice>& rows() const { return rows_; }

  void Insert(const Slice& slice) {
    ASSERT_TRUE(rows_.emplace(slice.id, slice).second) << "id " << slice.id << " is in use";
  }

  void Apply(const BatchSlices::Difference& changes) {
    for (const auto id : changes.deleted) ASSERT_EQ(rows_.erase(id), 1U);
    for (const auto& slice : changes.resized) {
      ASSERT_TRUE(rows_.contains(slice.id));
      auto& row = rows_[slice.id];
      ASSERT_EQ(row.state, slice.state);
      row.mask = slice.mask;
    }
    for (const auto& slice : changes.updated) {
      ASSERT_TRUE(rows_.contains(slice.id));
      auto& row = rows_[slice.id];
      // The statement does not write these.
      ASSERT_EQ(row.state.queue_id, slice.state.queue_id);
      ASSERT_EQ(row.state.priority, slice.state.priority);
      row = slice;
    }
    for (const auto& slice : changes.inserted) Insert(slice);
  }

 private:
  std::map<std::int64_t, Slice> rows_;
};

class SliceModel {
 public:
  SliceModel(Random& random, int n) : random_(random), full_(queue::FullMask(n)) {
    const auto state = RandomState(random);
    table_.Insert(queue::NewSlice(kBatchOfModel, n, state));
    queue::ForEachPosition(full_, [&](int position) { At(position) = state; });
  }

  // Loads some slices, changes them some times, and writes the changes.
  void RunTransaction() {
    LoadSome();
    for (auto steps = random_.From(1, 6); steps > 0; --steps) {
      Change();
      CheckSlices(CurrentSlices());
      if (::testing::Test::HasFatalFailure()) return;
    }
    table_.Apply(batch_->Changes());
    if (::testing::Test::HasFatalFailure()) return;
    std::vector<Slice> rows;
    for (const auto& [id, slice] : table_.rows()) rows.push_back(slice);
    CheckSlices(rows);
  }

 private:
  std::optional<SliceState>& At(int position) {
    return messages_[static_cast<std::size_t>(position)];
  }

  void LoadSome() {
    batch_.emplace(kBatchOfModel);
    unloaded_.clear();
    const bool all = random_.OneIn(2);
    for (const auto& [id, slice] : table_.rows()) {
      if (all || random_.OneIn(2)) {
        batch_->AddStored(slice);
      } else {
        unloaded_.push_back(slice);
      }
    }
  }

  void LoadOneMore() {
    batch_->AddStored(unloaded_.back());
    unloaded_.pop_back();
  }

  void Change() {
    if (!unloaded_.empty() && random_.OneIn(4)) LoadOneMore();
    if (random_.OneIn(3) && unloaded_.empty() && MissingMask() != 0) {
      Insert();
    } else if (!batch_->slices().empty()) {
      ChangePart();
    }
  }

  void Insert() {
    const Mask part = RandomPart(random_, MissingMask());
    const auto state = RandomState(random_);
    batch_->Insert(part, state);
    queue::ForEachPosition(part, [&](int position) { At(position) = state; });
  }

  void ChangePart() {
    const Mask part = RandomPart(random_, random_.Pick(batch_->slices()).mask);
    if (random_.OneIn(4)) {
      batch_->Remove(part);
      queue::ForEachPosition(part, [&](int position) { At(position).reset(); });
    } else {
      const auto state = RandomState(random_);
      batch_->SetState(part, state);
      queue::ForEachPosition(part, [&](int position) { At(position) = state; });
    }
  }

  // The messages that are in no slice.
  Mask MissingMask() {
    Mask missing = 0;
    queue::ForEachPosition(full_, [&](int position) {
      if (!At(position)) missing |= Mask{1} << position;
    });
    return missing;
  }

  // What the table would hold if the transaction ended here.
  std::vector<Slice> CurrentSlices() const {
    auto slices = batch_->slices();
    slices.insert(slices.end(), unloaded_.begin(), unloaded_.end());
    return slices;
  }

  void CheckSlices(const std::vector<Slice>& slices) {
    Mask seen = 0;
    for (const auto& slice : slices) {
      ASSERT_EQ(slice.batch_id(), kBatchOfModel);
      ASSERT_NE(slice.mask, 0U);
      ASSERT_EQ(slice.mask & seen, 0U) << "slices overlap";
      seen |= slice.mask;
      queue::ForEachPosition(slice.mask,
                             [&](int position) { ASSERT_EQ(At(position), slice.state); });
      for (const auto& other : slices) {
        if (&other == &slice) continue;
        ASSERT_NE(other.id, slice.id);
        ASSERT_EQ(queue::BitOf(slice.id) & other.mask, 0U) << "a key is in another slice's mask";
      }
    }
    ASSERT_EQ(seen, full_ & ~MissingMask());
  }

  Random& random_;
  const Mask full_;
  std::array<std::optional<SliceState>, queue::kBatchSize> messages_;
  Table table_;
  std::optional<BatchSlices> batch_;
  std::vector<Slice> unloaded_;  // Rows that the transaction has not loaded.
};

TEST(SliceProperty, SlicesAgreeWithARowForEachMessage) {
  ForEachSeed(10, [](std::uint64_t seed) {
    Random random(seed);
    for (const int n : {1, 2, 5, 31, 64}) {
      SliceModel model(random, n);
      for (int i = 0; i < 100; ++i) {
        model.RunTransaction();
        if (::testing::Test::HasFatalFailure()) return;
      }
    }
  });
}

TEST(SliceProperty, LowestBitsAreTheLowestOfThatNumber) {
  ForEachSeed(5, [](std::uint64_t seed) {
    Random random(seed);
    for (int i = 0; i < 500; ++i) {
      const Mask mask = random.Bits() & random.Bits();
      const int n = static_cast<int>(random.From(0, 64));
      const Mask lowest = queue::LowestBits(mask, n);
      ASSERT_EQ(lowest & ~mask, 0U);
      ASSERT_EQ(queue::Count(lowest), std::min(n, queue::Count(mask)));
      const Mask rest = mask & ~lowest;
      if (lowest != 0 && rest != 0) {
        ASSERT_LT(queue::HighestPosition(lowest), queue::LowestPosition(rest));
      }
    }
  });
}

}  // namespace
}  // namespace pgqrs::testing
