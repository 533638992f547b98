// What the scenarios do with pgqrs: open, fill, drain, and check what came out.
#ifndef PGQRS_BENCH_WORKLOAD_H_
#define PGQRS_BENCH_WORKLOAD_H_

#include <pgqrs/pgqrs.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "options.h"

namespace bench {

inline constexpr std::string_view kQueueName = "bench";
inline constexpr int kPayloadSize = 100;

pgqrs::PgqrsStore OpenStore(const std::filesystem::path& database, const Options& options);

// A JSON document of kPayloadSize bytes, another for each number.
std::string PayloadText(std::int64_t number);
std::vector<pgqrs::Json> MakePayloads(int count);

// Enqueues in bulk, so that full batches are stored.
void FillInBulk(pgqrs::Queue& queue, std::int64_t count);

// Enqueues through the SQL view: each message is a batch of its own, as from lone calls of Enqueue,
// without a disk sync for each. The queue must exist.
void FillOneByOne(const std::filesystem::path& database, std::int64_t count);

// Writes finished messages straight into the tables of a database that nobody has open.
void WriteArchive(const std::filesystem::path& database, std::int64_t count, int batch_size);

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
  void Verify(std::int64_t count);

 private:
  std::vector<std::int64_t> ids_;
  std::int64_t bytes_ = 0;
  std::int64_t acked_ = 0;
};

// Throws unless the queue holds so many messages, and none under lease.
void VerifyQueue(pgqrs::Queue& queue, std::int64_t waiting, std::int64_t archived);

// One consumer that takes `count` messages, `want` at a time. The acks of one batch travel with the
// request for the next.
void DrainWithAcksOnTheWay(pgqrs::PgqrsStore& store, pgqrs::Queue& queue, int want,
                           std::int64_t count, Tally& tally);

// The same with each call waited for.
void DrainStepByStep(pgqrs::PgqrsStore& store, pgqrs::Queue& queue, int want, std::int64_t count,
                     Tally& tally);

// Runs `work(i)` on `count` threads, started together, and gives the seconds until all have
// finished. Rethrows the first error.
double RunThreads(int count, const std::function<void(int)>& work);

}  // namespace bench

#endif  // PGQRS_BENCH_WORKLOAD_H_
