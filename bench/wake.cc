// How long an idle consumer takes to have a message, from the return of Enqueue (so: from the
// commit) to the return of its waiting call or, on Postgres, to the begin of its handler.
#include <pgqrs/pgqrs.h>

#include <chrono>
#include <cstdio>
#include <mutex>
#include <semaphore>
#include <sstream>
#include <thread>

#include "child_process.h"
#include "limits/limit.h"
#include "measure.h"
#include "place.h"
#include "scenarios.h"
#include "workload.h"

namespace bench {
namespace {

using std::chrono::steady_clock;

// Time for the consumer to come to rest between two messages.
constexpr auto kPause = std::chrono::milliseconds(5);
constexpr auto kPatience = std::chrono::seconds(20);

int SamplesInRound(const Options& options) { return static_cast<int>(options.Scaled(200, 5)); }

// Since boot, which on Linux is the same in every process.
std::int64_t Nanoseconds(steady_clock::time_point time) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch()).count();
}

double Milliseconds(std::int64_t from, std::int64_t to) {
  return static_cast<double>(to - from) / 1e6;
}

// When which message arrived.
struct Arrival {
  std::int64_t id = 0;
  std::int64_t at = 0;
};

Arrival WaitForMessage(pgqrs::Queue& queue) {
  auto message = queue.DequeueWait(kPatience);
  const auto now = Nanoseconds(steady_clock::now());
  Expect(message.has_value(), "no message came");
  Expect(message->Ack(), "the lease was lost");
  return {.id = message->id(), .at = now};
}

// The calls of one consumer thread, one message after the other.
class ConsumerThread {
 public:
  ConsumerThread(pgqrs::Queue queue, int count)
      : thread_([this, queue = std::move(queue), count]() mutable { Consume(queue, count); }) {}
  ConsumerThread(const ConsumerThread&) = delete;
  ConsumerThread& operator=(const ConsumerThread&) = delete;
  ~ConsumerThread() { thread_.join(); }

  Arrival Next() {
    Expect(arrived_.try_acquire_for(2 * kPatience), "the consumer does not answer");
    const std::lock_guard lock(mutex_);
    return last_;
  }

 private:
  // An error ends it, and shows as an arrival without a message.
  void Consume(pgqrs::Queue& queue, int count) {
    bool is_well = true;
    for (int i = 0; i < count && is_well; ++i) {
      Arrival arrival;
      try {
        arrival = WaitForMessage(queue);
      } catch (const std::exception& error) {
        SayProgress(std::string("consumer: ") + error.what());
        is_well = false;
      }
      const std::lock_guard lock(mutex_);
      last_ = arrival;
      arrived_.release();
    }
  }

  std::mutex mutex_;
  Arrival last_;
  std::counting_semaphore<> arrived_{0};
  std::thread thread_;
};

// Returns when the consumer waits for a message.
void WaitUntilParked(const pgqrs::PgqrsStore& store) {
  const auto deadline = steady_clock::now() + kPatience;
  while (store.EngineMetrics().waiting_consumers == 0) {
    Expect(steady_clock::now() < deadline, "the consumer never waits");
    std::this_thread::sleep_for(std::chrono::microseconds(200));
  }
  std::this_thread::sleep_for(kPause);
}

double SendOne(pgqrs::Queue& queue, const pgqrs::Json& payload,
               const std::function<Arrival()>& receive) {
  const auto id = queue.Enqueue(payload);
  const auto sent = Nanoseconds(steady_clock::now());
  const auto arrival = receive();
  ExpectEqual(arrival.id, id, "message that woke the consumer");
  return Milliseconds(sent, arrival.at);
}

// What a consumer cannot do without: the durable transaction of a dequeue.
std::vector<double> LimitDequeues(const Options& options, int count) {
  const auto place = NewPlace(options);
  const auto limit = place->OpenLimit();
  limit->Enqueue(count, 1, PayloadText(0));
  std::vector<double> milliseconds;
  for (int i = 0; i < count; ++i) {
    const Stopwatch watch;
    ExpectEqual(limit->Dequeue(1), 1, "messages dequeued by the limit program");
    milliseconds.push_back(watch.Milliseconds());
    limit->Ack();
    std::this_thread::sleep_for(kPause);
  }
  limit->Verify(0, count);
  return milliseconds;
}

// One round after another gives its samples; the lines are about all of them together.
class Latencies {
 public:
  void AddRound(const std::vector<double>& limit, const std::vector<double>& pgqrs) {
    Add(limit, limit_);
    Add(pgqrs, pgqrs_);
    SayProgress("wake-up, p50 and p99: limit " + WithUnit(Percentile(limit, 0.5), kMilliseconds) +
                ", " + WithUnit(limit_.p99.back(), kMilliseconds) + "; pgqrs " +
                WithUnit(Percentile(pgqrs, 0.5), kMilliseconds) + ", " +
                WithUnit(pgqrs_.p99.back(), kMilliseconds));
  }

  std::vector<Line> Lines(const std::string& name, double most_p99) const {
    return {LineOf(name + ", p50 (limit: a dequeue)", 0.5, limit_.p50, pgqrs_.p50, std::nullopt),
            LineOf(name + ", p99 (limit: a dequeue)", 0.99, limit_.p99, pgqrs_.p99, most_p99)};
  }

 private:
  struct Side {
    std::vector<double> all;
    std::vector<double> p50;
    std::vector<double> p99;
  };

  static void Add(const std::vector<double>& samples, Side& side) {
    side.all.insert(side.all.end(), samples.begin(), samples.end());
    side.p50.push_back(Percentile(samples, 0.5));
    side.p99.push_back(Percentile(samples, 0.99));
  }

  Line LineOf(std::string name, double fraction, const std::vector<double>& limit_rounds,
              const std::vector<double>& pgqrs_rounds, std::optional<double> most) const {
    Line line;
    line.name = std::move(name);
    line.unit = kMilliseconds;
    line.limit = Percentile(limit_.all, fraction);
    line.pgqrs = Percentile(pgqrs_.all, fraction);
    line.most = most;
    line.limit_rounds = limit_rounds;
    line.pgqrs_rounds = pgqrs_rounds;
    line.details = {{"samples", pgqrs_.all.size()}, {"worst", Percentile(pgqrs_.all, 1)}};
    return line;
  }

  Side limit_;
  Side pgqrs_;
};

std::vector<double> WakeInProcess(const Options& options, int count) {
  const auto place = NewPlace(options);
  auto store = place->Open();
  auto queue = store.Queue(kQueueName);
  const auto payload = pgqrs::Json::Parse(PayloadText(0));
  std::vector<double> milliseconds;
  {
    ConsumerThread consumer(queue, count);
    for (int i = 0; i < count; ++i) {
      WaitUntilParked(store);
      milliseconds.push_back(SendOne(queue, payload, [&] { return consumer.Next(); }));
    }
  }
  VerifyQueue(queue, 0, count);
  return milliseconds;
}

Arrival ParseArrival(const std::string& line) {
  std::istringstream text(line);
  Arrival arrival;
  text >> arrival.id >> arrival.at;
  Expect(!text.fail(), "the child process answered: " + line);
  return arrival;
}

std::vector<double> WakeChildProcess(const Options& options, int count) {
  const auto place = NewPlace(options);
  auto store = place->Open();
  auto queue = store.Queue(kQueueName);
  const auto payload = pgqrs::Json::Parse(PayloadText(0));
  ChildProcess child(kWakeChild, *place);
  Expect(child.ReadLine(kPatience) == "ready", "the child process is not ready");
  std::vector<double> milliseconds;
  for (int i = 0; i < count; ++i) {
    // The child does not tell when it waits, so give it some time more.
    std::this_thread::sleep_for(2 * kPause);
    milliseconds.push_back(
        SendOne(queue, payload, [&] { return ParseArrival(child.ReadLine(2 * kPatience)); }));
  }
  child.Wait();
  VerifyQueue(queue, 0, count);
  return milliseconds;
}

std::vector<Line> MeasureWakeUps(const Options& options, const std::string& name, double most_p99,
                                 std::vector<double> (*measure)(const Options&, int)) {
  const int samples = SamplesInRound(options);
  Latencies latencies;
  for (int round = 0; round < options.rounds; ++round) {
    const auto limit = LimitDequeues(options, samples);
    latencies.AddRound(limit, measure(options, samples));
  }
  return latencies.Lines(name, most_p99);
}

void Tell(const std::string& line) {
  std::printf("%s\n", line.c_str());
  std::fflush(stdout);
}

void TellArrival(const Arrival& arrival) {
  Tell(std::to_string(arrival.id) + " " + std::to_string(arrival.at));
}

void HandleArrivals(pgqrs::Queue& queue, int count) {
  std::counting_semaphore<> handled{0};
  pgqrs::QueueWorker worker(queue, [&](pgqrs::Message& message) {
    const auto now = Nanoseconds(steady_clock::now());
    TellArrival({.id = message.id(), .at = now});
    handled.release();
  });
  worker.Start();
  Tell("ready");
  for (int i = 0; i < count; ++i) {
    Expect(handled.try_acquire_for(kPatience), "no message came");
  }
  Expect(worker.Stop(), "the worker does not stop");
}

}  // namespace

std::vector<Line> WakeSameProcess(const Options& options) {
  return MeasureWakeUps(options, "wake-up, same process", 1, WakeInProcess);
}

std::vector<Line> WakeOtherProcess(const Options& options) {
  return MeasureWakeUps(options, "wake-up, other process", options.is_postgres() ? 3 : 10,
                        WakeChildProcess);
}

int WakeChild(const Options& options, const std::string& database) {
  auto store = OpenStore(options, database);
  auto queue = store.OpenQueue(kQueueName);
  const int count = SamplesInRound(options);
  if (options.is_postgres()) {
    HandleArrivals(queue, count);
    return 0;
  }
  Tell("ready");
  for (int i = 0; i < count; ++i) TellArrival(WaitForMessage(queue));
  return 0;
}

}  // namespace bench
