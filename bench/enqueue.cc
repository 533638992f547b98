// Enqueueing: one message at a time, from many threads, in batches.
#include <pgqrs/pgqrs.h>

#include <algorithm>
#include <array>
#include <mutex>
#include <optional>
#include <span>

#include "limits/limit.h"
#include "lone_commits.h"
#include "measure.h"
#include "place.h"
#include "scenarios.h"
#include "workload.h"

namespace bench {
namespace {

constexpr int kPayloads = 1000;

Contestant LimitBulk(std::int64_t count) {
  return {"limit", [=](const Place& place) {
            const auto limit = place.OpenLimit();
            const auto payload = PayloadText(0);
            const Stopwatch watch;
            limit->Enqueue(count, limits::kMaxBatch, payload);
            const auto rate = watch.Rate(count);
            limit->Verify(count, 0);
            return rate;
          }};
}

void VerifyEnqueued(pgqrs::Queue& queue, std::vector<std::int64_t> ids, std::int64_t count) {
  ExpectEqual(static_cast<std::int64_t>(ids.size()), count, "messages enqueued");
  std::ranges::sort(ids);
  Expect(std::ranges::adjacent_find(ids) == ids.end(), "an id was given twice");
  VerifyQueue(queue, count, 0);
}

// `threads` threads enqueue; each does its share, one call after another.
double EnqueueSingly(const Place& place, std::int64_t count, int threads) {
  auto store = place.Open();
  auto queue = store.Queue(kQueueName);
  const auto payloads = MakePayloads(kPayloads);
  const auto share = count / threads;
  std::mutex mutex;
  std::vector<std::int64_t> all;
  const auto seconds = RunThreads(threads, [&](int) {
    std::vector<std::int64_t> ids;
    ids.reserve(static_cast<std::size_t>(share));
    for (std::int64_t i = 0; i < share; ++i) {
      ids.push_back(queue.Enqueue(payloads[static_cast<std::size_t>(i % kPayloads)]));
    }
    Expect(std::ranges::is_sorted(ids), "the ids of one producer do not increase");
    const std::lock_guard lock(mutex);
    all.insert(all.end(), ids.begin(), ids.end());
  });
  VerifyEnqueued(queue, std::move(all), share * threads);
  return static_cast<double>(share * threads) / seconds;
}

// Batches of kPayloads. Where `parse` is set the making of the JSON values out of text counts too.
double EnqueueBatches(const Place& place, std::int64_t count, bool parse) {
  auto store = place.Open();
  auto queue = store.Queue(kQueueName);
  auto payloads = MakePayloads(kPayloads);
  std::vector<std::string> texts;
  texts.reserve(payloads.size());
  for (const auto& payload : payloads) texts.push_back(payload.text());
  std::vector<std::int64_t> ids;
  const Stopwatch watch;
  for (std::int64_t left = count; left > 0;) {
    if (parse) std::ranges::transform(texts, payloads.begin(), pgqrs::Json::Parse);
    const auto n = std::min<std::int64_t>(kPayloads, left);
    const auto batch_ids =
        queue.EnqueueBatch(std::span(payloads).first(static_cast<std::size_t>(n)));
    ids.insert(ids.end(), batch_ids.begin(), batch_ids.end());
    left -= n;
  }
  const auto rate = watch.Rate(count);
  VerifyEnqueued(queue, std::move(ids), count);
  return rate;
}

}  // namespace

std::vector<Line> EnqueueAlone(const Options& options) {
  const auto count = options.Scaled(3'000, 300);
  const std::array contestants = {
      LoneCommits(count),
      Contestant{"pgqrs", [=](const Place& place) { return EnqueueSingly(place, count, 1); }}};
  const auto figures = RunRounds(options, "lone enqueue", contestants);
  return {CompareRounds("enqueue, 1 thread × 1", figures[0], figures[1], 0.85)};
}

// A file is compared with the fastest that its engine can; a server, whose commits take longer,
// with clients that wait for one another.
std::vector<Line> EnqueueManyThreads(const Options& options) {
  const int threads = options.is_postgres() ? 256 : 64;
  const auto count = options.Scaled(200'000, std::int64_t{25} * threads);
  const std::array contestants = {
      options.is_postgres() ? LoneCommits(options.Scaled(3'000, 300))
                            : LimitBulk(options.Scaled(500'000, 50'000)),
      Contestant{"threads",
                 [=](const Place& place) { return EnqueueSingly(place, count, threads); }}};
  const auto name = std::to_string(threads) + " threads";
  const auto figures = RunRounds(options, "enqueue by " + name, contestants);
  if (options.is_postgres()) {
    return {CompareRounds("enqueue, " + name + " × 1 (limit: 1 connection × 1)", figures[0],
                          figures[1], 20)};
  }
  const auto least =
      options.backend == Backend::kSqlite ? std::optional<double>(0.1) : std::nullopt;
  return {CompareRounds("enqueue, " + name + " × 1 (limit: bulk)", figures[0], figures[1], least)};
}

std::vector<Line> EnqueueInBatches(const Options& options) {
  const auto count = options.Scaled(500'000, 50'000);
  const auto side = [=](std::string name, bool parse) {
    return Contestant{std::move(name),
                      [=](const Place& place) { return EnqueueBatches(place, count, parse); }};
  };
  const std::array contestants = {LimitBulk(count), side("pgqrs", false),
                                  side("with Json::Parse", true)};
  const auto figures = RunRounds(options, "enqueue in batches of 1,000", contestants);
  return {CompareRounds("enqueue, 1 thread × 1,000 (limit: bulk)", figures[0], figures[1], 0.5),
          CompareRounds("enqueue, 1 thread × 1,000, Json::Parse included", figures[0], figures[2],
                        std::nullopt)};
}

}  // namespace bench
