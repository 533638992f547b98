// Draining: taking waiting messages and finishing them.
#include <pgqrs/pgqrs.h>

#include <array>
#include <mutex>
#include <utility>

#include "limits/limit_sqlite.h"
#include "measure.h"
#include "scenarios.h"
#include "workload.h"

namespace bench {
namespace {

using DrainLoop = void (*)(pgqrs::PgqrsStore&, pgqrs::Queue&, int, std::int64_t, Tally&);

Contestant LimitDrain(const Options& options, std::int64_t count, int batch_size, int want) {
  return {"limit", [=](const ScratchFolder& folder) {
            // Filled and drained by two connections, as below.
            limits::SqliteLimit(folder.database(), options.durability())
                .Enqueue(count, batch_size, PayloadText(0));
            limits::SqliteLimit limit(folder.database(), options.durability());
            const Stopwatch watch;
            const auto drained = limit.Drain(want);
            const auto rate = watch.Rate(drained);
            ExpectEqual(drained, count, "messages drained by the limit program");
            limit.Verify(0, count);
            return rate;
          }};
}

// Makes the backlog, closes the store, and lets a new one work on it, which knows nothing yet.
void MakeBacklog(const ScratchFolder& folder, const Options& options, std::int64_t count,
                 bool one_by_one) {
  {
    auto store = OpenStore(folder.database(), options);
    auto queue = store.Queue(kQueueName);
    if (!one_by_one) FillInBulk(queue, count);
  }
  if (one_by_one) FillOneByOne(folder.database(), count);
}

Contestant PgqrsDrain(std::string name, const Options& options, std::int64_t count, bool one_by_one,
                      int want, DrainLoop drain) {
  return {std::move(name), [=](const ScratchFolder& folder) {
            MakeBacklog(folder, options, count, one_by_one);
            auto store = OpenStore(folder.database(), options);
            auto queue = store.Queue(kQueueName);
            Tally tally;
            const Stopwatch watch;
            drain(store, queue, want, count, tally);
            const auto rate = watch.Rate(count);
            tally.Verify(count);
            VerifyQueue(queue, 0, count);
            return rate;
          }};
}

double DrainOnThreads(const ScratchFolder& folder, const Options& options, std::int64_t count,
                      int threads) {
  MakeBacklog(folder, options, count, false);
  auto store = OpenStore(folder.database(), options);
  auto queue = store.Queue(kQueueName);
  std::mutex mutex;
  Tally all;
  const auto seconds = RunThreads(threads, [&](int) {
    Tally tally;
    while (auto message = queue.Dequeue()) {
      tally.Take(*message);
      tally.NoteAck(message->Ack());
    }
    const std::lock_guard lock(mutex);
    all.Merge(tally);
  });
  all.Verify(count);
  VerifyQueue(queue, 0, count);
  return static_cast<double>(count) / seconds;
}

}  // namespace

std::vector<Line> DrainFifty(const Options& options) {
  const auto count = options.Scaled(200'000, 2'000);
  const std::array contestants = {
      LimitDrain(options, count, limits::kMaxBatch, 50),
      PgqrsDrain("acks on the way", options, count, false, 50, DrainWithAcksOnTheWay),
      PgqrsDrain("step by step", options, count, false, 50, DrainStepByStep)};
  const auto figures = RunRounds(options, "drain, 50 at a time", contestants);
  return {CompareRounds("drain, 1 consumer × 50", figures[0], figures[1], 0.7),
          CompareRounds("drain, 1 consumer × 50, each call waited for", figures[0], figures[2],
                        std::nullopt)};
}

std::vector<Line> DrainThousand(const Options& options) {
  const auto count = options.Scaled(1'000'000, 20'000);
  const std::array contestants = {
      LimitDrain(options, count, limits::kMaxBatch, 1000),
      PgqrsDrain("pgqrs", options, count, false, 1000, DrainWithAcksOnTheWay)};
  const auto figures = RunRounds(options, "drain, 1,000 at a time", contestants);
  return {CompareRounds("drain, 1 consumer × 1,000", figures[0], figures[1], 0.5)};
}

std::vector<Line> DrainLoneMessages(const Options& options) {
  const auto count = options.Scaled(100'000, 2'000);
  const std::array contestants = {
      LimitDrain(options, count, 1, 50),
      PgqrsDrain("pgqrs", options, count, true, 50, DrainWithAcksOnTheWay)};
  const auto figures = RunRounds(options, "drain of lone messages", contestants);
  return {
      CompareRounds("drain, 1 consumer × 50, enqueued one by one", figures[0], figures[1], 0.85)};
}

std::vector<Line> DrainManyThreads(const Options& options) {
  constexpr int kThreads = 64;
  const auto limit_count = options.Scaled(200'000, 2'000);
  const auto count = options.Scaled(100'000, 2'000);
  const std::array contestants = {LimitDrain(options, limit_count, limits::kMaxBatch, 50),
                                  Contestant{"64 threads", [=](const ScratchFolder& folder) {
                                               return DrainOnThreads(folder, options, count,
                                                                     kThreads);
                                             }}};
  const auto figures = RunRounds(options, "drain by 64 threads", contestants);
  return {CompareRounds("drain, 64 threads × 1 (limit: × 50)", figures[0], figures[1], 0.35)};
}

}  // namespace bench
