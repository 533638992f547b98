// pgqrs as one of the sides of the comparison with its peers: plays one role on one database,
// checks what came of it, and prints its figures as a line of JSON. (../README.md has the roles.)
#include <pgqrs/pgqrs.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "measure.h"
#include "server.h"
#include "workload.h"

namespace {

using nlohmann::json;
using std::chrono::microseconds;
using std::chrono::milliseconds;

constexpr double kPatience = 120;  // Seconds without any progress.
constexpr int kBulk = 1000;
constexpr int kSteadyBulk = 100;
constexpr int kCallersOfFill = 64;
constexpr int kFailsEach = 10;
// The worker fetches as many at a time as its line has room for.
constexpr int kPrefetch = 2000;

struct Arguments {
  std::string peer;
  std::string role;
  std::string dsn;
  std::string schema;
  std::string path;
  std::int64_t count = 0;
  int callers = 1;
  int workers = 1;
  int payload = 100;
  int seconds = 0;
  std::int64_t outstanding = 5000;
};

using bench::Expect;
using bench::kQueueName;
using bench::Percentile;

std::int64_t NowMicros() {
  return std::chrono::duration_cast<microseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

// The time and the CPU of this process since it was made.
class Meter {
 public:
  double Seconds() const { return watch_.Seconds(); }
  double Cpu() const { return bench::CpuSeconds() - cpu_; }

  json Figures(std::int64_t count) const {
    const auto took = Seconds();
    return {{"rate", static_cast<double>(count) / took}, {"seconds", took}, {"cpu_s", Cpu()}};
  }

 private:
  double cpu_ = bench::CpuSeconds();
  bench::Stopwatch watch_;
};

// ---- Payloads

// {"n": number, "pad": "xxx"}, with "t", the time, where there is one; of so many bytes.
pgqrs::Json Payload(std::int64_t number, int size, std::int64_t time = 0) {
  auto text = R"({"n":)" + std::to_string(number);
  if (time != 0) text += R"(,"t":)" + std::to_string(time);
  text += R"(,"pad":")";
  const auto end = std::string(R"("})");
  const auto left = size - static_cast<int>(text.size() + end.size());
  text.append(static_cast<std::size_t>(std::max(left, 0)), 'x');
  return pgqrs::Json::Parse(text + end);
}

std::vector<pgqrs::Json> Payloads(std::int64_t first, std::int64_t count, int size,
                                  std::int64_t time = 0) {
  std::vector<pgqrs::Json> payloads;
  payloads.reserve(static_cast<std::size_t>(count));
  for (std::int64_t i = 0; i < count; ++i) payloads.push_back(Payload(first + i, size, time));
  return payloads;
}

// ---- What was handled

// The numbers that handlers have seen. From any thread.
class Tally {
 public:
  explicit Tally(std::int64_t count) : times_(static_cast<std::size_t>(count)) {}

  // How often this number was handled before.
  int Note(std::int64_t number) {
    Expect(number >= 0 && number < static_cast<std::int64_t>(times_.size()), "unknown number");
    ++handled_;
    return times_[static_cast<std::size_t>(number)]++;
  }
  std::int64_t handled() const { return handled_; }

  // Throws unless each number was handled as often as it says; gives how often one was more often.
  std::int64_t Duplicates(const std::function<int(std::int64_t)>& expected) const {
    std::int64_t duplicates = 0;
    for (std::size_t i = 0; i < times_.size(); ++i) {
      const auto more = times_[i] - expected(static_cast<std::int64_t>(i));
      Expect(more >= 0, "message " + std::to_string(i) + " was not handled");
      duplicates += more;
    }
    return duplicates;
  }

 private:
  std::vector<std::atomic<int>> times_;
  std::atomic<std::int64_t> handled_ = 0;
};

// Waits until `done()` has come to `count`, as long as it goes on.
void AwaitCount(std::int64_t count, const std::function<std::int64_t()>& done) {
  std::int64_t seen = -1;
  bench::Stopwatch since;
  for (auto now = done(); now < count; now = done()) {
    if (now != seen) {
      seen = now;
      since = {};
    }
    Expect(since.Seconds() < kPatience,
           "no progress: " + std::to_string(now) + " of " + std::to_string(count));
    std::this_thread::sleep_for(milliseconds(1));
  }
}

// ---- The database

pgqrs::PgqrsStore Open(const Arguments& arguments) {
  pgqrs::Config config;
  if (!arguments.dsn.empty()) {
    config.dsn = arguments.dsn;
    config.schema = arguments.schema;
  } else {
    const auto* scheme = arguments.peer == "pgqrs-turso" ? "turso://" : "sqlite://";
    config.dsn = scheme + arguments.path + "?synchronous=full";
  }
  return pgqrs::PgqrsStore::Connect(config);
}

void ExpectEmpty(pgqrs::Queue& queue) {
  const auto metrics = queue.Metrics();
  Expect(metrics.waiting + metrics.leased + metrics.delayed + metrics.dead == 0,
         "messages are left in the queue");
}

// Workers on one queue, each with one handler at a time.
class Workers {
 public:
  Workers(const pgqrs::Queue& queue, int count, const pgqrs::QueueWorker::Handler& handler) {
    for (int i = 0; i < count; ++i) {
      workers_.push_back(std::make_unique<pgqrs::QueueWorker>(
          queue, handler,
          pgqrs::WorkerOptions{.prefetch = kPrefetch, .retry = {.base_delay = milliseconds(1)}}));
    }
    for (const auto& worker : workers_) worker->Start();
  }

  std::int64_t acked() const {
    std::int64_t sum = 0;
    for (const auto& worker : workers_) sum += static_cast<std::int64_t>(worker->counts().acked);
    return sum;
  }

 private:
  std::vector<std::unique_ptr<pgqrs::QueueWorker>> workers_;
};

std::int64_t NumberOf(const pgqrs::Message& message, const char* member = "n") {
  return json::parse(message.payload().text()).at(member).get<std::int64_t>();
}

// ---- Roles

json Describe(const Arguments& arguments) {
  json settings = {
      {"prefetch", std::to_string(kPrefetch) + ": short handlers, see WorkerOptions::prefetch"}};
  if (arguments.dsn.empty()) settings["synchronous"] = "full: the default";
  return {{"package", std::string("pgqrs ") + PGQRS_BENCH_VERSION},
          {"runtime", "C++20"},
          {"settings", settings},
          {"delivery", "at-least-once"},
          {"notes", ""}};
}

// What enqueues as many messages as the arguments say.
using Enqueuing = void (*)(pgqrs::Queue&, const Arguments&);

void ByCallers(pgqrs::Queue& queue, const Arguments& arguments) {
  std::atomic<std::int64_t> next = 0;
  bench::RunThreads(arguments.callers, [&](int) {
    for (auto number = next++; number < arguments.count; number = next++) {
      queue.Enqueue(Payload(number, arguments.payload));
    }
  });
}

void InBulk(pgqrs::Queue& queue, const Arguments& arguments) {
  for (std::int64_t first = 0; first < arguments.count; first += kBulk) {
    queue.EnqueueBatch(
        Payloads(first, std::min<std::int64_t>(kBulk, arguments.count - first), arguments.payload));
  }
}

json Enqueued(const Arguments& arguments, Enqueuing enqueue) {
  auto store = Open(arguments);
  auto queue = store.Queue(kQueueName);
  const Meter meter;
  enqueue(queue, arguments);
  auto figures = meter.Figures(arguments.count);
  bench::ExpectEqual(queue.Metrics().waiting, arguments.count, "messages waiting");
  return figures;
}

json Enqueue(const Arguments& arguments) { return Enqueued(arguments, ByCallers); }

json EnqueueBulk(const Arguments& arguments) { return Enqueued(arguments, InBulk); }

json Fill(const Arguments& arguments) {
  Enqueued(arguments, InBulk);
  return json::object();
}

json FillSingle(const Arguments& told) {
  auto arguments = told;
  arguments.callers = kCallersOfFill;
  Enqueued(arguments, ByCallers);
  return json::object();
}

// Handles a backlog; `handle` notes a number, and may throw.
json Handle(const Arguments& arguments, int workers,
            const std::function<void(Tally&, std::int64_t)>& handle,
            const std::function<int(std::int64_t)>& expected) {
  auto store = Open(arguments);
  auto queue = store.Queue(kQueueName);
  Tally tally(arguments.count);
  json figures;
  {
    const Meter meter;
    const Workers running(queue, workers,
                          [&](pgqrs::Message& message) { handle(tally, NumberOf(message)); });
    AwaitCount(arguments.count, [&] { return running.acked(); });
    figures = meter.Figures(arguments.count);
  }
  figures["duplicates"] = tally.Duplicates(expected);
  ExpectEmpty(queue);
  return figures;
}

json Drain(const Arguments& arguments) {
  return Handle(
      arguments, arguments.workers, [](Tally& tally, std::int64_t number) { tally.Note(number); },
      [](std::int64_t) { return 1; });
}

json Retry(const Arguments& arguments) {
  return Handle(
      arguments, 1,
      [](Tally& tally, std::int64_t number) {
        if (tally.Note(number) == 0 && number % kFailsEach == 0) {
          throw std::runtime_error("as it is to");
        }
      },
      [](std::int64_t number) { return number % kFailsEach == 0 ? 2 : 1; });
}

// Latencies in milliseconds by the second in which they ended.
class Series {
 public:
  void Note(double second, double latency) {
    const std::lock_guard lock(mutex_);
    by_second_[static_cast<int>(second) + 1].push_back(latency);
  }

  json Figures(int length) {
    const std::lock_guard lock(mutex_);
    json series = json::array();
    std::vector<double> all;
    for (int second = 1; second <= length; ++second) {
      const auto& values = by_second_[second];
      all.insert(all.end(), values.begin(), values.end());
      json figures = Percentiles(values);
      figures["second"] = second;
      figures["handled"] = values.size();
      series.push_back(std::move(figures));
    }
    auto figures = Percentiles(all);
    figures["rate"] = static_cast<double>(all.size()) / length;
    figures["series"] = std::move(series);
    return figures;
  }

 private:
  static json Percentiles(const std::vector<double>& values) {
    if (values.empty()) return {{"p50_ms", nullptr}, {"p99_ms", nullptr}};
    return {{"p50_ms", Percentile(values, 0.5)}, {"p99_ms", Percentile(values, 0.99)}};
  }

  std::mutex mutex_;
  std::map<int, std::vector<double>> by_second_;
};

json Steady(const Arguments& arguments) {
  auto store = Open(arguments);
  auto queue = store.Queue(kQueueName);
  Series series;
  std::atomic<std::int64_t> handled = 0;
  std::int64_t enqueued = 0;
  const Meter meter;
  const Workers running(queue, 1, [&](pgqrs::Message& message) {
    const auto late = NowMicros() - NumberOf(message, "t");
    series.Note(meter.Seconds(), static_cast<double>(late) / 1e3);
    ++handled;
  });
  while (meter.Seconds() < arguments.seconds) {
    if (enqueued - handled > arguments.outstanding - kSteadyBulk) {
      std::this_thread::sleep_for(microseconds(200));
      continue;
    }
    queue.EnqueueBatch(Payloads(enqueued, kSteadyBulk, arguments.payload, NowMicros()));
    enqueued += kSteadyBulk;
  }
  const auto cpu = meter.Cpu();
  AwaitCount(enqueued, [&] { return running.acked(); });
  ExpectEmpty(queue);
  auto figures = series.Figures(arguments.seconds);
  figures["cpu_s"] = cpu;
  return figures;
}

json Wake(const Arguments& arguments) {
  auto store = Open(arguments);
  auto queue = store.Queue(kQueueName);
  std::mutex mutex;
  std::map<std::int64_t, std::int64_t> begun;  // When the handler of a number began.
  const Workers running(queue, 1, [&](pgqrs::Message& message) {
    const auto now = NowMicros();
    const std::lock_guard lock(mutex);
    begun.emplace(NumberOf(message), now);
  });
  // The same pauses in every run.
  std::mt19937 random(1);  // NOLINT(bugprone-random-generator-seed,cert-msc51-cpp)
  std::uniform_int_distribution<int> pause(100, 200);
  json since_return = json::array();
  json since_call = json::array();
  for (std::int64_t number = 0; number < arguments.count; ++number) {
    std::this_thread::sleep_for(milliseconds(pause(random)));
    const auto called = NowMicros();
    queue.Enqueue(Payload(number, arguments.payload));
    const auto returned = NowMicros();
    AwaitCount(number + 1, [&] { return running.acked(); });
    const std::lock_guard lock(mutex);
    const auto at = begun.at(number);
    since_return.push_back(static_cast<double>(std::max<std::int64_t>(at - returned, 0)) / 1e3);
    since_call.push_back(static_cast<double>(at - called) / 1e3);
  }
  return {{"ms", since_return}, {"call_ms", since_call}};
}

struct Role {
  const char* name;
  json (*play)(const Arguments&);
};

constexpr std::array kRoles = {
    Role{"describe", Describe},
    Role{"enqueue", Enqueue},
    Role{"enqueue-bulk", EnqueueBulk},
    Role{"fill", Fill},
    Role{"drain", Drain},
    Role{"retry", Retry},
    Role{"fill-single", FillSingle},
    Role{"steady", Steady},
    Role{"wake", Wake},
};

json Play(const Arguments& arguments) {
  for (const auto& role : kRoles) {
    if (arguments.role == role.name) return role.play(arguments);
  }
  throw std::runtime_error("no such role: " + arguments.role);
}

}  // namespace

int main(int argc, char** argv) {
  Arguments arguments;
  CLI::App app("pgqrs beside its peers");
  app.add_option("peer", arguments.peer)
      ->required()
      ->check(CLI::IsMember({"pgqrs", "pgqrs-turso"}));
  app.add_option("role", arguments.role)->required();
  app.add_option("--dsn", arguments.dsn);
  app.add_option("--schema", arguments.schema);
  app.add_option("--path", arguments.path);
  app.add_option("--count", arguments.count)->check(CLI::NonNegativeNumber);
  app.add_option("--callers", arguments.callers)->check(CLI::Range(1, 10'000));
  app.add_option("--workers", arguments.workers)->check(CLI::Range(1, 1'000));
  app.add_option("--payload", arguments.payload)->check(CLI::Range(40, 1'000'000));
  app.add_option("--seconds", arguments.seconds)->check(CLI::Range(1, 3'600));
  app.add_option("--outstanding", arguments.outstanding)->check(CLI::Range(100, 1'000'000));
  CLI11_PARSE(app, argc, argv);
  try {
    std::printf("%s\n", Play(arguments).dump().c_str());
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
