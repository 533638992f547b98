// A queue that is filled and drained at the same time, by itself, or while a transaction elsewhere
// keeps the server from removing anything that it may still see: does it keep its rate?
#include <pgqrs/pgqrs.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <span>
#include <thread>
#include <vector>

#include "limits/postgres_session.h"
#include "measure.h"
#include "place.h"
#include "scenarios.h"
#include "workload.h"

namespace bench {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr int kConsumers = 2;
constexpr int kWant = 50;
constexpr int kEnqueueBatch = 500;
constexpr auto kLease = std::chrono::seconds(20);
// The producer waits while so many messages are not finished.
constexpr std::int64_t kMostWaiting = 20'000;

class Run {
 public:
  explicit Run(const Place& place) : store_(place.Open()), queue_(store_.Queue(kQueueName)) {}

  // Gives the messages a second in each interval, and calls `at_end` at the end of each.
  std::vector<double> Watch(int intervals, milliseconds interval,
                            const std::function<void()>& at_end) {
    std::vector<double> rates;
    RunThreads(kConsumers + 2, [&](int i) {
      try {
        if (i == 0) Observe(intervals, interval, rates, at_end);
        if (i == 1) Produce();
        if (i > 1) Consume();
      } catch (...) {
        stop_ = true;
        throw;
      }
      stop_ = true;
    });
    return rates;
  }

  void Verify() {
    const auto metrics = queue_.Metrics();
    ExpectEqual(metrics.archived, finished_, "messages archived");
    ExpectEqual(metrics.waiting + metrics.leased + metrics.delayed, enqueued_ - finished_,
                "messages left");
    ExpectEqual(metrics.dead, 0, "dead letters");
  }

 private:
  void Observe(int intervals, milliseconds interval, std::vector<double>& rates,
               const std::function<void()>& at_end) {
    auto end = steady_clock::now();
    for (int i = 0; i < intervals && !stop_; ++i) {
      const std::int64_t before = finished_;
      const Stopwatch watch;
      end += interval;
      while (steady_clock::now() < end && !stop_) std::this_thread::sleep_for(milliseconds(20));
      rates.push_back(watch.Rate(finished_ - before));
      SayProgress("steady state, minute " + std::to_string(i + 1) + ": " +
                  WithUnit(rates.back(), kPerSecond));
      at_end();
    }
  }

  void Produce() {
    const auto payloads = MakePayloads(kEnqueueBatch);
    while (!stop_) {
      if (enqueued_ - finished_ > kMostWaiting) {
        std::this_thread::sleep_for(milliseconds(2));
        continue;
      }
      queue_.EnqueueBatch(payloads);
      enqueued_ += kEnqueueBatch;
    }
  }

  void Consume() {
    auto consumer = queue_.NewConsumer();
    std::vector<pgqrs::Message> batch;
    while (!stop_ || !batch.empty()) {
      auto acks = store_.AckAsync(std::span<const pgqrs::Message>(batch));
      std::vector<pgqrs::Message> next;
      if (!stop_) next = consumer.DequeueBatchWait(kWant, milliseconds(500), kLease);
      for (const bool was_current : acks.Get()) Expect(was_current, "a lease was lost");
      finished_ += std::ssize(batch);
      batch = std::move(next);
    }
  }

  pgqrs::PgqrsStore store_;
  pgqrs::Queue queue_;
  std::atomic<bool> stop_ = false;
  std::atomic<std::int64_t> enqueued_ = 0;
  std::atomic<std::int64_t> finished_ = 0;
};

// The last minute ÷ the first.
std::vector<Line> Watch(const Options& options, bool is_pinned) {
  const milliseconds minute(std::min<std::int64_t>(60'000, options.Scaled(60'000, 500)));
  const auto place = NewPlace(options);
  limits::PostgresSession elsewhere(options.dsn, place->database());
  if (is_pinned) {  // Its snapshot is taken by the first statement, and kept.
    elsewhere.Run("BEGIN ISOLATION LEVEL REPEATABLE READ");
    elsewhere.Text("SELECT count(*) FROM pgqrs_queues");
  }
  std::vector<double> rates;
  std::vector<double> sizes;
  {
    Run run(*place);
    rates = run.Watch(options.minutes, minute, [&] {
      const auto bytes = elsewhere.Number("SELECT pg_total_relation_size('pgqrs_slices')");
      sizes.push_back(static_cast<double>(bytes) / (1 << 20));
    });
    run.Verify();
  }
  if (is_pinned) elsewhere.Run("COMMIT");
  const auto minutes = std::to_string(options.minutes);
  auto line = CompareRounds(std::string("filled and drained") +
                                (is_pinned ? " beside a long transaction" : "") + ", minute " +
                                minutes + " ÷ minute 1",
                            {rates.front()}, {rates.back()}, 0.8);
  line.details = {{"seconds_of_a_minute", static_cast<double>(minute.count()) / 1e3},
                  {"per_second", rates},
                  {"hot_set_mebibytes", sizes}};
  return {line};
}

}  // namespace

std::vector<Line> SteadyState(const Options& options) { return Watch(options, false); }
std::vector<Line> PinnedState(const Options& options) { return Watch(options, true); }

}  // namespace bench
