#include "queue/slice.h"

#include <algorithm>
#include <cassert>
#include <utility>

namespace pgqrs::queue {
namespace {

std::int64_t KeyedId(std::int64_t batch_id, Mask mask) {
  return MessageId(batch_id, HighestPosition(mask));
}

}  // namespace

// The highest bit is the key because a dequeue takes the lowest bits: what is left then keeps its
// row, and its place in the index.
Slice NewSlice(std::int64_t batch_id, int n, SliceState state) {
  const Mask mask = FullMask(n);
  return {KeyedId(batch_id, mask), mask, std::move(state)};
}

BatchSlices::BatchSlices(std::int64_t batch_id, std::vector<Slice> slices)
    : batch_id_(batch_id), stored_(slices), slices_(std::move(slices)) {}

void BatchSlices::AddStored(Slice slice) {
  assert(slice.batch_id() == batch_id_);
  stored_.push_back(slice);
  slices_.push_back(std::move(slice));
}

const Slice* BatchSlices::Find(Mask bit) const {
  const auto it = std::find_if(slices_.begin(), slices_.end(),
                               [bit](const Slice& slice) { return (slice.mask & bit) != 0; });
  return it == slices_.end() ? nullptr : &*it;
}

std::size_t BatchSlices::IndexOf(Mask part) const {
  const auto* slice = Find(part);
  assert(slice != nullptr && (slice->mask & part) == part);
  return static_cast<std::size_t>(slice - slices_.data());
}

void BatchSlices::SetState(Mask part, const SliceState& state) {
  auto index = IndexOf(part);
  if (slices_[index].state == state) return;
  const Mask rest = slices_[index].mask & ~part;
  if (rest == 0) {
    slices_[index].state = state;
  } else if ((BitOf(slices_[index].id) & part) != 0) {
    // The part has the key, so it keeps the row, and the rest moves to a new one.
    auto old_state = std::exchange(slices_[index].state, state);
    slices_[index].mask = part;
    slices_.push_back({KeyedId(batch_id_, rest), rest, std::move(old_state)});
  } else {
    slices_[index].mask = rest;
    slices_.push_back({KeyedId(batch_id_, part), part, state});
    index = slices_.size() - 1;
  }
  MergeEqual(index);
}

// Joins the slice at `index` with another of the same state. Both keys are free then or stay with
// the joined slice, so the invariant holds.
void BatchSlices::MergeEqual(std::size_t index) {
  for (std::size_t i = 0; i < slices_.size(); ++i) {
    if (i == index || slices_[i].state != slices_[index].state) continue;
    slices_[i].mask |= slices_[index].mask;
    slices_.erase(slices_.begin() + static_cast<std::ptrdiff_t>(index));
    return;
  }
}

void BatchSlices::Remove(Mask part) {
  const auto index = IndexOf(part);
  slices_[index].mask &= ~part;
  if (slices_[index].mask == 0) {
    slices_.erase(slices_.begin() + static_cast<std::ptrdiff_t>(index));
  }
}

void BatchSlices::Insert(Mask part, const SliceState& state) {
  assert(Find(part) == nullptr);
  // A slice may still be keyed by a message that it lost and that comes back now. It moves to a key
  // of its own mask.
  for (auto& slice : slices_) {
    if ((BitOf(slice.id) & part) != 0) slice.id = KeyedId(batch_id_, slice.mask);
  }
  slices_.push_back({KeyedId(batch_id_, part), part, state});
  MergeEqual(slices_.size() - 1);
}

BatchSlices::Difference BatchSlices::Changes() const {
  Difference changes;
  const auto find = [](const std::vector<Slice>& in, std::int64_t id) {
    return std::find_if(in.begin(), in.end(), [id](const Slice& slice) { return slice.id == id; });
  };
  for (const auto& slice : stored_) {
    if (find(slices_, slice.id) == slices_.end()) changes.deleted.push_back(slice.id);
  }
  for (const auto& slice : slices_) {
    const auto before = find(stored_, slice.id);
    if (before == stored_.end()) {
      changes.inserted.push_back(slice);
    } else if (before->state != slice.state) {
      changes.updated.push_back(slice);
    } else if (before->mask != slice.mask) {
      changes.resized.push_back(slice);
    }
  }
  return changes;
}

}  // namespace pgqrs::queue
