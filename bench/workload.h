// What the scenarios do with pgqrs: open, fill, drain, and check what came out.
#ifndef PGQRS_BENCH_WORKLOAD_H_
#define PGQRS_BENCH_WORKLOAD_H_

#include <pgqrs/pgqrs.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "options.h"

namespace bench {

inline constexpr std::string_view kQueueName = "bench";
inline constexpr int kPayloadSize = 100;

// What the payload is when it comes back: jsonb is written with a space behind the colons and the
// comma.
inline int StoredPayloadSize(const Options& options) {
  return options.is_postgres() ? kPayloadSize + 3 : kPayloadSize;
}

// A JSON document of kPayloadSize bytes, another for each number.
std::string PayloadText(std::int64_t number);
std::vector<pgqrs::Json> MakePayloads(int count);

// Enqueues in bulk, `batch_size` messages a call, so that full batches are stored.
void FillInBulk(pgqrs::Queue& queue, std::int64_t count, int batch_size = 10'000);

// The messages that came out of a queue. For one thread.
class Tally {
 public:
  void Take(const pgqrs::Message& message);
  void Take(std::span<const pgqrs::Message> messages) {
    for (const auto& message : messages) Take(message);
  }
  void NoteAck(bool was_current) { acked_ += was_current ? 1 : 0; }
  void NoteAcks(const std::vector<bool>& acks) {
    for (const bool was_current : acks) NoteAck(was_current);
  }
  void Merge(const Tally& other);

  // Throws unless these are `count` different messages, whole and acked.
  void Verify(const Options& options, std::int64_t count);

 private:
  std::vector<std::int64_t> ids_;
  std::int64_t bytes_ = 0;
  std::int64_t acked_ = 0;
};

// Throws unless the queue holds so many messages, and none under lease.
void VerifyQueue(pgqrs::Queue& queue, std::int64_t waiting, std::int64_t archived);

// The messages that consumers have still to take, shared among their threads.
class Quota {
 public:
  explicit Quota(std::int64_t count) : left_(count) {}

  // Up to `want` of them.
  int Claim(int want);
  void GiveBack(std::int64_t count) { left_ += count; }

 private:
  std::atomic<std::int64_t> left_;
};

// The next message; none where the quota is used up.
std::optional<pgqrs::Message> TakeOne(pgqrs::Queue& queue, Quota& quota);

// One consumer, on a thread of its own: takes messages until the quota is used up, `want` at a
// time. `source` is a Queue or a Consumer. The acks of one batch travel with the request for the
// next.
template <typename Source>
void DrainWithAcksOnTheWay(pgqrs::PgqrsStore& store, Source& source, int want, Quota& quota,
                           Tally& tally);

// The same with each call waited for.
template <typename Source>
void DrainStepByStep(pgqrs::PgqrsStore& store, Source& source, int want, Quota& quota,
                     Tally& tally);

// Drains the queue by `consumers` Consumers, each on a thread of its own, and gives the seconds.
double DrainByConsumers(pgqrs::PgqrsStore& store, pgqrs::Queue& queue, int consumers, int want,
                        Quota& quota, Tally& tally);

// Runs `work(i)` on `count` threads, started together, and gives the seconds until all have
// finished. Rethrows the first error.
double RunThreads(int count, const std::function<void(int)>& work);

}  // namespace bench

#endif  // PGQRS_BENCH_WORKLOAD_H_
