// Draining: taking waiting messages and finishing them.
#include <pgqrs/pgqrs.h>

#include <array>
#include <mutex>
#include <optional>
#include <utility>

#include "limits/limit.h"
#include "measure.h"
#include "place.h"
#include "scenarios.h"
#include "workload.h"

namespace bench {
namespace {

// What is drained, and how.
struct Drain {
  std::int64_t count;
  int want;
  int consumers = 1;
  bool one_by_one = false;  // Enqueued so.

  std::string name() const {
    return std::to_string(consumers) + (consumers == 1 ? " consumer × " : " consumers × ") +
           WithSeparators(want);
  }
};

using DrainLoop = double (*)(pgqrs::PgqrsStore&, pgqrs::Queue&, const Drain&, Tally&);

Contestant LimitDrain(const Drain& drain) {
  return {"limit", [=](const Place& place) {
            // Filled and drained by connections of their own, as below.
            place.OpenLimit()->Enqueue(drain.count, drain.one_by_one ? 1 : limits::kMaxBatch,
                                       PayloadText(0));
            const auto limit = place.OpenLimit(drain.consumers);
            place.Settle();
            const Stopwatch watch;
            const auto drained = limit->Drain(drain.want);
            const auto rate = watch.Rate(drained);
            ExpectEqual(drained, drain.count, "messages drained by the limit program");
            limit->Verify(0, drain.count);
            return rate;
          }};
}

// Makes the backlog, closes the store, and lets a new one work on it, which knows nothing yet.
void MakeBacklog(const Place& place, const Drain& drain) {
  {
    auto store = place.Open();
    auto queue = store.Queue(kQueueName);
    if (!drain.one_by_one) FillInBulk(queue, drain.count);
  }
  if (drain.one_by_one) place.FillOneByOne(drain.count);
  place.Settle();
}

Contestant PgqrsDrain(std::string name, const Drain& drain, DrainLoop loop) {
  return {std::move(name), [=](const Place& place) {
            MakeBacklog(place, drain);
            auto store = place.Open();
            auto queue = store.Queue(kQueueName);
            Tally tally;
            const auto seconds = loop(store, queue, drain, tally);
            tally.Verify(place.options(), drain.count);
            VerifyQueue(queue, 0, drain.count);
            return static_cast<double>(drain.count) / seconds;
          }};
}

double ByOneCaller(pgqrs::PgqrsStore& store, pgqrs::Queue& queue, const Drain& drain,
                   Tally& tally) {
  Quota quota(drain.count);
  const Stopwatch watch;
  DrainWithAcksOnTheWay(store, queue, drain.want, quota, tally);
  return watch.Seconds();
}

double StepByStep(pgqrs::PgqrsStore& store, pgqrs::Queue& queue, const Drain& drain, Tally& tally) {
  Quota quota(drain.count);
  const Stopwatch watch;
  DrainStepByStep(store, queue, drain.want, quota, tally);
  return watch.Seconds();
}

double ByConsumers(pgqrs::PgqrsStore& store, pgqrs::Queue& queue, const Drain& drain,
                   Tally& tally) {
  Quota quota(drain.count);
  return DrainByConsumers(store, queue, drain.consumers, drain.want, quota, tally);
}

// Each consumer is a thread that makes one call after another.
double OneMessageACall(pgqrs::PgqrsStore&, pgqrs::Queue& queue, const Drain& drain, Tally& tally) {
  std::mutex mutex;
  Quota quota(drain.count);
  return RunThreads(drain.consumers, [&](int) {
    Tally own;
    while (auto message = TakeOne(queue, quota)) {
      own.Take(*message);
      own.NoteAck(message->Ack());
    }
    const std::lock_guard lock(mutex);
    tally.Merge(own);
  });
}

std::vector<Line> CompareDrains(const Options& options, const Drain& drain,
                                std::optional<double> least_ratio) {
  const auto name = "drain, " + drain.name() + (drain.one_by_one ? ", enqueued one by one" : "");
  const std::array contestants = {
      LimitDrain(drain),
      PgqrsDrain("pgqrs", drain, drain.consumers == 1 ? ByOneCaller : ByConsumers)};
  const auto figures = RunRounds(options, name, contestants);
  return {CompareRounds(name, figures[0], figures[1], least_ratio)};
}

}  // namespace

std::vector<Line> DrainFifty(const Options& options) {
  const auto count = options.Scaled(200'000, 2'000);
  if (options.is_postgres()) {
    return CompareDrains(options, {.count = count, .want = 50, .consumers = 4}, 0.75);
  }
  const Drain drain{.count = count, .want = 50};
  const std::array contestants = {LimitDrain(drain),
                                  PgqrsDrain("acks on the way", drain, ByOneCaller),
                                  PgqrsDrain("step by step", drain, StepByStep)};
  const auto figures = RunRounds(options, "drain, 50 at a time", contestants);
  return {CompareRounds("drain, 1 consumer × 50", figures[0], figures[1], 0.7),
          CompareRounds("drain, 1 consumer × 50, each call waited for", figures[0], figures[2],
                        std::nullopt)};
}

std::vector<Line> DrainFiveHundred(const Options& options) {
  const auto count = options.Scaled(1'000'000, 20'000);
  return CompareDrains(options, {.count = count, .want = 500, .consumers = 2}, 0.6);
}

std::vector<Line> DrainThousand(const Options& options) {
  const auto count = options.Scaled(1'000'000, 20'000);
  return CompareDrains(options, {.count = count, .want = 1000}, 0.5);
}

std::vector<Line> DrainLoneMessages(const Options& options) {
  const auto count = options.Scaled(100'000, 2'000);
  const int consumers = options.is_postgres() ? 4 : 1;
  return CompareDrains(options,
                       {.count = count, .want = 50, .consumers = consumers, .one_by_one = true},
                       options.is_postgres() ? 0.8 : 0.85);
}

// What peers fetch at a time at their best.
std::vector<Line> DrainLoneFiveHundred(const Options& options) {
  const auto count = options.Scaled(200'000, 20'000);
  return CompareDrains(options, {.count = count, .want = 500, .consumers = 2, .one_by_one = true},
                       std::nullopt);
}

std::vector<Line> DrainManyThreads(const Options& options) {
  const int threads = options.is_postgres() ? 256 : 64;
  const Drain limit{.count = options.Scaled(200'000, 2'000),
                    .want = 50,
                    .consumers = options.is_postgres() ? 4 : 1};
  const Drain drain{.count = options.Scaled(100'000, 2'000), .want = 1, .consumers = threads};
  const std::array contestants = {LimitDrain(limit), PgqrsDrain("threads", drain, OneMessageACall)};
  const auto name = std::to_string(threads) + " threads";
  const auto figures = RunRounds(options, "drain by " + name, contestants);
  const auto limit_name = options.is_postgres() ? limit.name() : "× 50";
  return {CompareRounds("drain, " + name + " × 1 (limit: " + limit_name + ")", figures[0],
                        figures[1], 0.35)};
}

}  // namespace bench
