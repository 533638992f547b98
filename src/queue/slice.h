// The arithmetic of batches and slices, without a database.
//
// A batch is up to 64 messages that were enqueued together; message id = batch id × 64 + position.
// A slice is those messages of one batch that share one state, as a 64-bit mask. The slices of a
// batch never overlap.
//
// A slice has a key, a position, and the id batch id × 64 + key. What makes splitting free of
// look-ups is one invariant: *the key of a slice is never in the mask of another slice*. So any bit
// of a new part's own mask is a free key. A key may be outside of its own slice's mask, once that
// message was taken out.
#ifndef PGQRS_QUEUE_SLICE_H_
#define PGQRS_QUEUE_SLICE_H_

#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace pgqrs::queue {

using Mask = std::uint64_t;

inline constexpr int kBatchSize = 64;

constexpr std::int64_t BatchOf(std::int64_t message_id) { return message_id >> 6; }
constexpr int PositionOf(std::int64_t message_id) { return static_cast<int>(message_id & 63); }
constexpr std::int64_t MessageId(std::int64_t batch_id, int position) {
  return batch_id * kBatchSize + position;
}
constexpr Mask BitOf(std::int64_t message_id) { return Mask{1} << PositionOf(message_id); }
constexpr int Count(Mask mask) { return std::popcount(mask); }
constexpr int LowestPosition(Mask mask) { return std::countr_zero(mask); }
constexpr int HighestPosition(Mask mask) { return 63 - std::countl_zero(mask); }

// The mask of a batch of n messages, 1 to 64.
constexpr Mask FullMask(int n) { return ~Mask{0} >> (kBatchSize - n); }

// The n lowest bits of the mask, or all where it has fewer.
constexpr Mask LowestBits(Mask mask, int n) {
  Mask taken = 0;
  for (; n > 0 && mask != 0; --n) {
    taken |= mask & (~mask + 1);
    mask &= mask - 1;
  }
  return taken;
}

// Calls `visit(position)` for each bit, from the lowest on.
template <typename F>
void ForEachPosition(Mask mask, F visit) {
  for (; mask != 0; mask &= mask - 1) visit(LowestPosition(mask));
}

// What the messages of a slice have in common. Times are microseconds since the epoch.
struct SliceState {
  std::int64_t queue_id = 0;
  int priority = 0;
  std::int64_t visible_at = 0;  // While leased: the end of the lease.
  int read_count = 0;
  std::optional<std::int64_t> worker_id;    // The last holder.
  std::optional<std::int64_t> lease_token;  // None: not leased.
  std::optional<std::int64_t> leased_at;
  std::optional<std::string> last_error;

  friend bool operator==(const SliceState&, const SliceState&) = default;
};

struct Slice {
  std::int64_t id = 0;
  Mask mask = 0;
  SliceState state;

  std::int64_t batch_id() const { return BatchOf(id); }
  friend bool operator==(const Slice&, const Slice&) = default;
};

// The slice of a fresh batch.
Slice NewSlice(std::int64_t batch_id, int n, SliceState state);

// Slices of one batch while a transaction changes them. It may hold all slices of the batch or some
// only. At the end Changes() tells what to write.
class BatchSlices {
 public:
  explicit BatchSlices(std::int64_t batch_id, std::vector<Slice> slices = {});

  std::int64_t batch_id() const { return batch_id_; }
  const std::vector<Slice>& slices() const { return slices_; }

  // Adds a slice as it is in the database.
  void AddStored(Slice slice);

  // The slice that has this message, or null. Valid until the next change.
  const Slice* Find(Mask bit) const;

  // Gives the messages of `part`, which lie in one slice, another state. Where a slice of the very
  // same state is here they join it.
  void SetState(Mask part, const SliceState& state);

  // Takes the messages of `part`, which lie in one slice, out of the hot set.
  void Remove(Mask part);

  // Puts messages that are in no slice back into the hot set. All slices of the batch have to be
  // here, since the key of one may be among these messages.
  void Insert(Mask part, const SliceState& state);

  struct Difference {
    std::vector<std::int64_t> deleted;  // Ids. To be written in this order:
    std::vector<Slice> resized;         // Another mask, the same state.
    std::vector<Slice> updated;         // Another state.
    std::vector<Slice> inserted;
  };
  Difference Changes() const;

 private:
  std::size_t IndexOf(Mask part) const;
  void MergeEqual(std::size_t index);

  std::int64_t batch_id_;
  std::vector<Slice> stored_;
  std::vector<Slice> slices_;
};

}  // namespace pgqrs::queue

#endif  // PGQRS_QUEUE_SLICE_H_
