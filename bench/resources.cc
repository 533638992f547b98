// What a store costs when there is nothing to do, when there is too much, and at the start. The
// first two run in processes of their own, in which nothing else was ever done.
#include <pgqrs/pgqrs.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <thread>

#include "child_process.h"
#include "measure.h"
#include "scenarios.h"
#include "workload.h"

namespace bench {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

constexpr int kProducers = 4;

seconds IdleTime(const Options& options) { return seconds(options.Scaled(30, 3)); }
seconds OverloadTime(const Options& options) { return seconds(options.Scaled(60, 5)); }

double CpuSeconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto to_seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return to_seconds(usage.ru_utime) + to_seconds(usage.ru_stime);
}

double ResidentMebibytes() {
  std::ifstream file("/proc/self/statm");
  std::int64_t total = 0;
  std::int64_t resident = 0;
  file >> total >> resident;
  Expect(resident > 0, "no figure in /proc/self/statm");
  return static_cast<double>(resident * ::sysconf(_SC_PAGESIZE)) / (1 << 20);
}

void Answer(const nlohmann::json& answer) {
  std::printf("%s\n", answer.dump().c_str());
  std::fflush(stdout);
}

nlohmann::json AskChild(std::string_view name, const Options& options, seconds patience) {
  const ScratchFolder folder(options.folder);
  ChildProcess child(name, options, folder.path());
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

int IdleChild(const Options& options) {
  auto store = OpenStore(options.folder / "queue.db", options);
  auto worked = store.Queue("worked");
  auto awaited = store.Queue("awaited");
  const auto payload = pgqrs::Json::Parse(PayloadText(0));
  pgqrs::WorkerOptions worker_options;
  worker_options.concurrency = 4;
  pgqrs::QueueWorker worker(
      worked, [](pgqrs::Message&) {}, worker_options);
  worker.Start();
  worked.Enqueue(payload);
  WaitForAcks(worker, 1);
  auto waiting = awaited.DequeueWaitAsync(IdleTime(options) + seconds(20));
  std::this_thread::sleep_for(seconds(1));  // Let what was going on come to rest.

  const auto before = CpuSeconds();
  const Stopwatch watch;
  std::this_thread::sleep_for(IdleTime(options));
  const auto percent = (CpuSeconds() - before) / watch.Seconds() * 100;

  // Idle, and not dead.
  worked.Enqueue(payload);
  WaitForAcks(worker, 2);
  const auto id = awaited.Enqueue(payload);
  const auto message = waiting.Get();
  Expect(message.has_value() && message->id() == id, "the waiting consumer got no message");
  Expect(worker.Stop(), "the worker does not stop");
  Answer({{"percent", percent}, {"seconds", watch.Seconds()}});
  return 0;
}

std::vector<Line> IdleCpu(const Options& options) {
  SayProgress("idle for " + std::to_string(IdleTime(options).count()) + " s");
  const auto answer = AskChild(kIdleChild, options, IdleTime(options) + seconds(60));
  Line line;
  line.name = "CPU of an idle store with a worker";
  line.unit = kPercent;
  line.pgqrs = answer.at("percent");
  line.most = 0.1;
  line.pgqrs_rounds = {line.pgqrs};
  line.details = answer;
  return {line};
}

int MemoryChild(const Options& options) {
  auto store = OpenStore(options.folder / "queue.db", options);
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
  const ScratchFolder folder(options.folder);
  {
    auto store = OpenStore(folder.database(), options);
    auto queue = store.Queue(kQueueName);
    FillInBulk(queue, 2 * count);
    Tally tally;
    DrainWithAcksOnTheWay(store, queue, 1000, count, tally);
    tally.Verify(count);
  }
  Line line;
  for (int i = 0; i < kOpens; ++i) {
    const Stopwatch watch;
    auto store = OpenStore(folder.database(), options);
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
