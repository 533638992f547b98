// What a store costs when there is nothing to do, when there is too much, and at the start. The
// first two run in processes of their own, in which nothing else was ever done.
#include <pgqrs/pgqrs.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <fstream>
#include <memory>
#include <optional>
#include <thread>

#include "child_process.h"
#include "measure.h"
#include "place.h"
#include "scenarios.h"
#include "server.h"
#include "workload.h"

namespace bench {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

constexpr int kProducers = 4;

seconds IdleTime(const Options& options) { return seconds(options.Scaled(30, 1)); }
seconds OverloadTime(const Options& options) { return seconds(options.Scaled(60, 1)); }

double ResidentMebibytes() {
  std::ifstream file("/proc/self/statm");
  std::int64_t total = 0;
  std::int64_t resident = 0;
  file >> total >> resident;
  Expect(resident > 0, "no figure in /proc/self/statm");
  return static_cast<double>(resident * ::sysconf(_SC_PAGESIZE)) / (1 << 20);
}

nlohmann::json AskChild(std::string_view name, const Options& options, seconds patience) {
  const auto place = NewPlace(options);
  place->Settle();
  ChildProcess child(name, *place);
  auto answer = nlohmann::json::parse(child.ReadLine(patience));
  child.Wait();
  return answer;
}

void WaitForAcks(const pgqrs::QueueWorker& worker, std::uint64_t count) {
  const auto deadline = steady_clock::now() + seconds(10);
  while (worker.counts().acked < count) {
    Expect(steady_clock::now() < deadline, "the worker does not handle its message");
    std::this_thread::sleep_for(milliseconds(1));
  }
}

int IdleStores(const Options& options) { return options.is_postgres() ? 10 : 1; }

// A store with a worker that has nothing to do and a consumer that waits, on queues of their own.
class IdleStore {
 public:
  IdleStore(const Options& options, const std::string& database, int number)
      : store_(OpenStore(options, database)),
        worked_(store_.Queue("worked " + std::to_string(number))),
        awaited_(store_.Queue("awaited " + std::to_string(number))),
        worker_(worked_, [](pgqrs::Message&) {}, {.concurrency = 4}) {
    worker_.Start();
    worked_.Enqueue(payload_);
    WaitForAcks(worker_, 1);
    waiting_ = awaited_.DequeueWaitAsync(IdleTime(options) + seconds(60));
  }

  // Idle, and not dead.
  void ProveAlive() {
    worked_.Enqueue(payload_);
    WaitForAcks(worker_, 2);
    const auto id = awaited_.Enqueue(payload_);
    const auto message = waiting_->Get();
    Expect(message.has_value() && message->id() == id, "the waiting consumer got no message");
    Expect(worker_.Stop(), "the worker does not stop");
  }

 private:
  const pgqrs::Json payload_ = pgqrs::Json::Parse(PayloadText(0));
  pgqrs::PgqrsStore store_;
  pgqrs::Queue worked_;
  pgqrs::Queue awaited_;
  pgqrs::QueueWorker worker_;
  std::optional<pgqrs::Future<std::optional<pgqrs::Message>>> waiting_;
};

struct Overload {
  std::int64_t enqueued = 0;
  double peak = 0;
  std::uint64_t most_pending = 0;
};

// Enqueues without ever waiting for a result, until `stop`, and then for the last one: requests to
// one queue are finished in the order in which a thread made them.
std::int64_t ProduceUntil(const std::atomic<bool>& stop, pgqrs::Queue queue) {
  const auto payloads = MakePayloads(1000);
  auto last = queue.EnqueueAsync(payloads.front());
  std::int64_t enqueued = 1;
  for (; !stop.load(std::memory_order_relaxed); ++enqueued) {
    last = queue.EnqueueAsync(payloads[static_cast<std::size_t>(enqueued) % payloads.size()]);
  }
  last.Get();
  return enqueued;
}

Overload RunOverload(const pgqrs::PgqrsStore& store, const pgqrs::Queue& queue, seconds duration) {
  Overload overload;
  std::atomic<bool> stop = false;
  std::atomic<std::int64_t> enqueued = 0;
  std::jthread observer([&] {
    const auto end = steady_clock::now() + duration;
    while (steady_clock::now() < end) {
      overload.peak = std::max(overload.peak, ResidentMebibytes());
      overload.most_pending =
          std::max(overload.most_pending, store.EngineMetrics().pending_requests);
      std::this_thread::sleep_for(milliseconds(20));
    }
    stop = true;
  });
  RunThreads(kProducers, [&](int) { enqueued += ProduceUntil(stop, queue); });
  observer.join();
  overload.enqueued = enqueued;
  return overload;
}

}  // namespace

int IdleChild(const Options& options, const std::string& database) {
  const int count = IdleStores(options);
  std::vector<std::unique_ptr<IdleStore>> stores;
  stores.reserve(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) {
    stores.push_back(std::make_unique<IdleStore>(options, database, i));
  }
  std::optional<Server> server;
  if (options.is_postgres()) server.emplace(options.dsn);
  std::this_thread::sleep_for(seconds(1));  // Let what was going on come to rest.

  const auto before = CpuSeconds();
  const auto server_before = server ? server->CpuSeconds() : 0;
  const Stopwatch watch;
  std::this_thread::sleep_for(IdleTime(options));
  const auto percent_since = [&](double start, double now) {
    return (now - start) / watch.Seconds() * 100;
  };
  nlohmann::json answer = {{"percent", percent_since(before, CpuSeconds())},
                           {"seconds", watch.Seconds()}};
  if (server) answer["server_percent"] = percent_since(server_before, server->CpuSeconds());

  for (const auto& store : stores) store->ProveAlive();
  Answer(answer);
  return 0;
}

std::vector<Line> IdleCpu(const Options& options) {
  SayProgress("idle for " + std::to_string(IdleTime(options).count()) + " s");
  const auto answer = AskChild(kIdleChild, options, IdleTime(options) + seconds(120));
  const auto line_of = [&](std::string name, const char* key, std::optional<double> most) {
    Line line;
    line.name = std::move(name);
    line.unit = kPercent;
    line.pgqrs = answer.at(key);
    line.most = most;
    line.pgqrs_rounds = {line.pgqrs};
    line.details = answer;
    return line;
  };
  if (!options.is_postgres()) {
    return {line_of("CPU of an idle store with a worker", "percent", 0.1)};
  }
  return {line_of("CPU of the server under 10 idle stores with a worker", "server_percent", 1),
          line_of("CPU of 10 idle stores with a worker", "percent", std::nullopt)};
}

int MemoryChild(const Options& options, const std::string& database) {
  auto store = OpenStore(options, database);
  auto queue = store.Queue(kQueueName);
  queue.Enqueue(pgqrs::Json::Parse(PayloadText(0)));
  const auto baseline = ResidentMebibytes();
  const auto overload = RunOverload(store, queue, OverloadTime(options));
  VerifyQueue(queue, overload.enqueued + 1, 0);
  Answer({{"baseline", baseline},
          {"peak", overload.peak},
          {"enqueued", overload.enqueued},
          {"most_pending", overload.most_pending}});
  return 0;
}

std::vector<Line> FlatMemory(const Options& options) {
  SayProgress("enqueue without pause for " + std::to_string(OverloadTime(options).count()) + " s");
  const auto answer = AskChild(kMemoryChild, options, OverloadTime(options) + seconds(120));
  Line line;
  line.name = "memory over baseline, producers without pause";
  line.unit = kMebibytes;
  line.pgqrs = answer.at("peak").get<double>() - answer.at("baseline").get<double>();
  line.most = 64;
  line.pgqrs_rounds = {line.pgqrs};
  line.details = answer;
  return {line};
}

std::vector<Line> OpenExisting(const Options& options) {
  constexpr int kOpens = 50;
  const auto count = options.Scaled(10'000, 1'000);
  const auto place = NewPlace(options);
  {
    auto store = place->Open();
    auto queue = store.Queue(kQueueName);
    FillInBulk(queue, 2 * count);
    Tally tally;
    Quota quota(count);
    DrainWithAcksOnTheWay(store, queue, 1000, quota, tally);
    tally.Verify(options, count);
  }
  Line line;
  for (int i = 0; i < kOpens; ++i) {
    const Stopwatch watch;
    auto store = place->Open();
    line.pgqrs_rounds.push_back(watch.Milliseconds());
    auto queue = store.OpenQueue(kQueueName);
    if (i == 0) VerifyQueue(queue, count, count);
  }
  line.name = "opening an existing database";
  line.unit = kMilliseconds;
  line.pgqrs = Median(line.pgqrs_rounds);
  line.most = 5;
  return {line};
}

}  // namespace bench
