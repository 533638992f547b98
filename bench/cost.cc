// What a message costs from its enqueue to its archive, besides time.
#include <pgqrs/pgqrs.h>

#include <array>
#include <functional>
#include <utility>

#include "counting_proxy.h"
#include "limits/limit.h"
#include "measure.h"
#include "place.h"
#include "scenarios.h"
#include "server.h"
#include "workload.h"

namespace bench {
namespace {

constexpr int kConsumers = 4;
constexpr int kWant = 50;
constexpr int kEnqueueBatch = 1000;

// Of one side in one round, a message.
struct Cost {
  double client_microseconds = 0;
  double wal_bytes = 0;
  double dead_tuples = 0;
  double round_trips = 0;
};

// Enqueues and drains, and closes every connection.
using Work = std::function<void(const Place& place)>;

Work LimitWork(std::int64_t count) {
  return [=](const Place& place) {
    const auto limit = place.OpenLimit(kConsumers);
    limit->Enqueue(count, limits::kMaxBatch, PayloadText(0));
    ExpectEqual(limit->Drain(kWant), count, "messages drained by the limit program");
  };
}

Work PgqrsWork(std::int64_t count) {
  return [=](const Place& place) {
    auto store = place.Open();
    auto queue = store.Queue(kQueueName);
    FillInBulk(queue, count, kEnqueueBatch);
    Quota quota(count);
    Tally tally;
    DrainByConsumers(store, queue, kConsumers, kWant, quota, tally);
    tally.Verify(place.options(), count);
  };
}

double RoundTrips(const Options& options, const Work& work) {
  const ScratchFolder folder(options.folder);
  const CountingProxy proxy(options.dsn, folder.path());
  auto through_proxy = options;
  through_proxy.dsn = proxy.dsn();
  const auto place = NewPlace(through_proxy);
  const auto before = proxy.round_trips();
  work(*place);
  return static_cast<double>(proxy.round_trips() - before);
}

// The round trips are counted apart, since the proxy takes time of its own.
Cost Measure(const Options& options, std::int64_t count, const Work& work) {
  Server server(options.dsn);
  const auto place = NewPlace(options);
  place->Settle();
  server.WaitForLastClient();
  const auto cpu = CpuSeconds();
  const auto wal = server.WalPosition();
  const auto dead = server.DeadTuples(place->database());
  work(*place);
  const auto messages = static_cast<double>(count);
  Cost cost;
  cost.client_microseconds = (CpuSeconds() - cpu) * 1e6 / messages;
  cost.wal_bytes = static_cast<double>(server.WalPosition() - wal) / messages;
  server.WaitForLastClient();
  cost.dead_tuples = static_cast<double>(server.DeadTuples(place->database()) - dead) / messages;
  cost.round_trips = RoundTrips(options, work) / messages;
  return cost;
}

}  // namespace

std::vector<Line> CostOfMessage(const Options& options) {
  const auto count = options.Scaled(200'000, 2'000);
  const std::array works = {LimitWork(count), PgqrsWork(count)};
  std::array<std::vector<Cost>, 2> costs;
  for (int round = 0; round < options.rounds; ++round) {
    SayProgress("costs, round " + std::to_string(round + 1));
    for (std::size_t i = 0; i < works.size(); ++i) {
      const auto turn = (static_cast<std::size_t>(round) + i) % works.size();
      costs[turn].push_back(Measure(options, count, works[turn]));
    }
  }
  const auto line = [&](const std::string& what, std::string_view unit, double Cost::*field) {
    std::array<std::vector<double>, 2> figures;
    for (std::size_t i = 0; i < costs.size(); ++i) {
      for (const auto& cost : costs[i]) figures[i].push_back(cost.*field);
    }
    auto compared = CompareRounds(what + " a message, batches of 1,000, drain 4 × 50", figures[0],
                                  figures[1], std::nullopt);
    compared.unit = unit;
    return compared;
  };
  return {line("client CPU", kMicroseconds, &Cost::client_microseconds),
          line("WAL", kBytes, &Cost::wal_bytes), line("dead tuples", "", &Cost::dead_tuples),
          line("round trips", "", &Cost::round_trips)};
}

}  // namespace bench
