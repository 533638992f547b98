// Workflows: what a step costs, how many runs end in a second, how long a replay takes.
#include <pgqrs/pgqrs.h>

#include <array>
#include <chrono>
#include <functional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "child_process.h"
#include "counting_proxy.h"
#include "lone_commits.h"
#include "measure.h"
#include "place.h"
#include "scenarios.h"
#include "server.h"
#include "workload.h"

namespace bench {
namespace {

constexpr int kStepsOfRun = 3;
constexpr int kAtOnce = 100;
constexpr int kRunsOfPeers = 50;  // At once, beside the peers.
constexpr auto kPatience = std::chrono::minutes(5);

using Runs = pgqrs::Workflow<int, int>;

// A run of so many steps, each of which gives its number. Its output is their sum.
Runs DefineShort() {
  return pgqrs::DefineWorkflow("short", [](pgqrs::RunContext& run, int first) {
    int sum = 0;
    for (int i = 0; i < kStepsOfRun; ++i) sum += run.Step("step", [&] { return first + i; });
    return sum;
  });
}

int SumOfShort(int first) { return kStepsOfRun * first + kStepsOfRun * (kStepsOfRun - 1) / 2; }

std::int64_t CountSteps(pgqrs::PgqrsStore& store, std::int64_t run_id) {
  constexpr int kPage = 10'000;
  std::int64_t count = 0;
  pgqrs::StepFilter filter = {.run_id = run_id, .name = "step", .limit = kPage};
  while (true) {
    const auto page = store.Workflows().Steps(filter);
    count += static_cast<std::int64_t>(page.size());
    if (page.size() < kPage) return count;
    filter.after_id = page.back().id;
  }
}

// Waits until `reached()`, and gives the seconds.
template <typename F>
double Await(const F& reached, const char* what) {
  const Stopwatch watch;
  while (!reached()) {
    Expect(watch.Seconds() < std::chrono::duration<double>(kPatience).count(), what);
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return watch.Seconds();
}

// How many runs a second the workers of a store end, of a backlog of `count`, so many at once.
double RunBacklog(pgqrs::PgqrsStore store, std::int64_t count, int at_once) {
  const auto workflow = DefineShort();
  std::vector<pgqrs::Run<int>> runs;
  runs.reserve(static_cast<std::size_t>(count));
  {
    std::vector<pgqrs::Future<pgqrs::Run<int>>> triggers;
    triggers.reserve(static_cast<std::size_t>(count));
    for (int i = 0; i < count; ++i) triggers.push_back(store.TriggerAsync(workflow, i));
    for (auto& trigger : triggers) runs.push_back(trigger.Get());
  }
  pgqrs::WorkflowWorker worker(store, {workflow}, {.concurrency = at_once});
  worker.Start();
  const auto seconds =
      Await([&] { return static_cast<std::int64_t>(worker.counts().succeeded) == count; },
            "runs do not come to an end");
  for (int i = 0; i < count; ++i) {
    ExpectEqual(runs[static_cast<std::size_t>(i)].Result(kPatience), SumOfShort(i),
                "output of a run");
  }
  return static_cast<double>(count) / seconds;
}

// The same where each run is triggered when the one before it has ended.
double RunOneByOne(pgqrs::PgqrsStore store, std::int64_t count) {
  const auto workflow = DefineShort();
  pgqrs::WorkflowWorker worker(store, {workflow});
  worker.Start();
  const Stopwatch watch;
  for (int i = 0; i < count; ++i) {
    ExpectEqual(store.Trigger(workflow, i).Result(kPatience), SumOfShort(i), "output of a run");
  }
  return watch.Rate(count);
}

// What a run of many steps has noticed of itself.
struct Noticed {
  double step_seconds = 0;  // From the first step to the last one.
  int bodies = 0;           // How many steps were done, and not replayed.
};

// A run of `count` steps that then waits for an event.
pgqrs::Workflow<int, int> DefineLong(Noticed& noticed) {
  return pgqrs::DefineWorkflow("long", [&noticed](pgqrs::RunContext& run, int count) {
    int sum = 0;
    const Stopwatch watch;
    for (int i = 0; i < count; ++i) {
      sum += run.Step("step", [&] {
        ++noticed.bodies;
        return 1;
      });
    }
    noticed.step_seconds = watch.Seconds();
    run.WaitForEvent("go");
    return sum;
  });
}

// The steps of a run that waits for an event then, and how long they took.
struct LongRun {
  std::int64_t id = 0;
  double seconds = 0;
};

LongRun RunSteps(pgqrs::PgqrsStore store, std::int64_t count) {
  Noticed noticed;
  const auto workflow = DefineLong(noticed);
  pgqrs::WorkflowWorker worker(store, {workflow});
  worker.Start();
  const auto run = store.Trigger(workflow, static_cast<int>(count));
  Await([&] { return worker.counts().suspended == 1; }, "the run does not wait");
  worker.Stop();
  ExpectEqual(noticed.bodies, count, "steps done");
  ExpectEqual(CountSteps(store, run.id()), count, "steps recorded");
  return {.id = run.id(), .seconds = noticed.step_seconds};
}

// Milliseconds from the event that a run of `count` steps waits for to its end, in a store that
// knows nothing of it.
double ResumeSteps(pgqrs::PgqrsStore store, std::int64_t run_id, std::int64_t count) {
  Noticed noticed;
  const auto workflow = DefineLong(noticed);
  pgqrs::WorkflowWorker worker(store, {workflow});
  worker.Start();
  std::this_thread::sleep_for(std::chrono::milliseconds(50));  // It waits for work now.
  const Stopwatch watch;
  store.Workflows().SendEvent(run_id, "go", pgqrs::Json());
  const auto output = store.Workflows().Get(run_id).ResultJson(kPatience);
  const auto milliseconds = watch.Milliseconds();
  ExpectEqual(pgqrs::FromJson<int>(output), count, "output of the run");
  ExpectEqual(noticed.bodies, 0, "steps that ran again");
  return milliseconds;
}

// A figure that is compared with none.
Line MakeLine(std::string name, std::string_view unit, std::vector<double> rounds) {
  Line line;
  line.name = std::move(name);
  line.unit = unit;
  line.pgqrs = Median(rounds);
  line.pgqrs_rounds = std::move(rounds);
  return line;
}

Contestant Side(std::string name, std::function<double(pgqrs::PgqrsStore)> run) {
  return {std::move(name),
          [run = std::move(run)](const Place& place) { return run(place.Open()); }};
}

}  // namespace

std::vector<Line> WorkflowSteps(const Options& options) {
  const auto count = options.Scaled(3'000, 300);
  const std::array contestants = {LoneCommits(count), Side("pgqrs", [=](pgqrs::PgqrsStore store) {
                                    return static_cast<double>(count) /
                                           RunSteps(std::move(store), count).seconds;
                                  })};
  const auto figures = RunRounds(options, "steps of one run", contestants);
  return {
      CompareRounds("steps of one run (limit: 1 connection × 1)", figures[0], figures[1], 1 / 1.3)};
}

std::vector<Line> WorkflowRuns(const Options& options) {
  const auto few = options.Scaled(1'000, 100);
  const auto many = options.Scaled(10'000, 1'000);
  const auto backlog = [](std::int64_t count, int at_once) {
    return Side(std::to_string(at_once) + " at once", [=](pgqrs::PgqrsStore store) {
      return RunBacklog(std::move(store), count, at_once);
    });
  };
  const std::array contestants = {
      backlog(few, 1), backlog(many, kRunsOfPeers), backlog(many, kAtOnce),
      Side("one by one",
           [=](pgqrs::PgqrsStore store) { return RunOneByOne(std::move(store), few); })};
  const auto figures = RunRounds(options, "runs of 3 steps", contestants);
  return {
      CompareRounds("runs of 3 steps, 100 at once (limit: 1 at once)", figures[0], figures[2], 5),
      CompareRounds("runs of 3 steps, 50 at once (limit: 1 at once)", figures[0], figures[1],
                    std::nullopt),
      CompareRounds("runs of 3 steps, each triggered after the last (limit: 1 at once)", figures[0],
                    figures[3], std::nullopt)};
}

std::vector<Line> WorkflowReplay(const Options& options) {
  const auto count = options.Scaled(10'000, 1'000);
  const std::array contestants = {Contestant{"pgqrs", [=](const Place& place) {
                                               const auto run = RunSteps(place.Open(), count);
                                               place.Settle();
                                               return ResumeSteps(place.Open(), run.id, count);
                                             }}};
  const auto figures = RunRounds(options, "replay", contestants);
  auto line = MakeLine("a run of " + WithSeparators(count) + " steps goes on: event to end",
                       kMilliseconds, figures[0]);
  line.most = 100;
  return {line};
}

std::vector<Line> CostOfStep(const Options& options) {
  const auto count = options.Scaled(2'000, 500);
  const ScratchFolder folder(options.folder);
  const CountingProxy proxy(options.dsn, folder.path());
  auto through_proxy = options;
  through_proxy.dsn = proxy.dsn();
  Server server(options.dsn);
  std::vector<double> trips;
  std::vector<double> transactions;
  std::vector<double> wal;
  for (int round = 0; round < options.rounds; ++round) {
    const auto place = NewPlace(through_proxy);
    server.WaitForLastClient();
    const auto trips_before = proxy.round_trips();
    const auto transactions_before = server.Transactions();
    const auto wal_before = server.WalPosition();
    RunSteps(place->Open(), count);
    server.WaitForLastClient();
    const auto a_step = [&](std::int64_t total) {
      return static_cast<double>(total) / static_cast<double>(count);
    };
    trips.push_back(a_step(proxy.round_trips() - trips_before));
    transactions.push_back(a_step(server.Transactions() - transactions_before));
    wal.push_back(a_step(server.WalPosition() - wal_before));
  }
  const auto suffix = " a step, in a run of " + WithSeparators(count);
  return {MakeLine("round trips" + suffix, "", trips),
          MakeLine("transactions" + suffix, "", transactions),
          MakeLine("WAL" + suffix, kBytes, wal)};
}

int RunsChild(const Options& options, const std::string& database, std::int64_t count) {
  Answer({{"rate", RunBacklog(OpenStore(options, database), count, kRunsOfPeers)}});
  return 0;
}

int StepsChild(const Options& options, const std::string& database, std::int64_t count) {
  const auto run = RunSteps(OpenStore(options, database), count);
  Answer({{"rate", static_cast<double>(count) / run.seconds}, {"run", run.id}});
  return 0;
}

int CommitsChild(const Options& options, const std::string& database, std::int64_t count) {
  if (options.is_postgres()) OpenStore(options, database).Queue(kQueueName);  // Makes the tables.
  Answer({{"rate", RateOfLoneCommits(OpenLimit(options, database), count)}});
  return 0;
}

int ReplayChild(const Options& options, const std::string& database, std::int64_t count) {
  auto store = OpenStore(options, database);
  const auto runs = store.Workflows().Runs({.workflow = "long"});
  ExpectEqual(static_cast<std::int64_t>(runs.size()), 1, "runs of many steps");
  Answer({{"replay_ms", ResumeSteps(store, runs.front().id, count)}});
  return 0;
}

}  // namespace bench
