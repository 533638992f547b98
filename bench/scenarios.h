// What is measured. Each scenario checks its own outcome, and throws where it is wrong, before any
// of its figures counts.
#ifndef PGQRS_BENCH_SCENARIOS_H_
#define PGQRS_BENCH_SCENARIOS_H_

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "options.h"
#include "report.h"

namespace bench {

struct Scenario {
  std::string_view name;
  std::vector<Line> (*run)(const Options& options);
  Backend on = kEverywhere;
  // A scenario that takes longer is given up.
  std::chrono::minutes patience = std::chrono::minutes(15);
};

// drain.cc
std::vector<Line> DrainFifty(const Options& options);
std::vector<Line> DrainFiveHundred(const Options& options);
std::vector<Line> DrainThousand(const Options& options);
std::vector<Line> DrainLoneMessages(const Options& options);
std::vector<Line> DrainLoneFiveHundred(const Options& options);
std::vector<Line> DrainManyThreads(const Options& options);

// enqueue.cc
std::vector<Line> EnqueueAlone(const Options& options);
std::vector<Line> EnqueueManyThreads(const Options& options);
std::vector<Line> EnqueueInBatches(const Options& options);

// size.cc
std::vector<Line> LongQueue(const Options& options);
std::vector<Line> LongArchive(const Options& options);

// wake.cc
std::vector<Line> WakeSameProcess(const Options& options);
std::vector<Line> WakeOtherProcess(const Options& options);

// steady.cc
std::vector<Line> SteadyState(const Options& options);
std::vector<Line> PinnedState(const Options& options);

// cost.cc
std::vector<Line> CostOfMessage(const Options& options);

// resources.cc
std::vector<Line> IdleCpu(const Options& options);
std::vector<Line> FlatMemory(const Options& options);
std::vector<Line> OpenExisting(const Options& options);

// workflow.cc
std::vector<Line> WorkflowSteps(const Options& options);
std::vector<Line> WorkflowRuns(const Options& options);
std::vector<Line> WorkflowReplay(const Options& options);
std::vector<Line> CostOfStep(const Options& options);

// What the program does as the child of a scenario that needs a process of its own. They work on
// the database of a place, and answer on stdout.
int WakeChild(const Options& options, const std::string& database);
int IdleChild(const Options& options, const std::string& database);
int MemoryChild(const Options& options, const std::string& database);

// What it does as the C++ side of the benchmark of the Python package (python/): fills a queue for
// any of its sides, drains it 50 at a time, or enqueues in batches of 1,000; `count` messages.
int FillChild(const Options& options, const std::string& database, std::int64_t count);
int DrainChild(const Options& options, const std::string& database, std::int64_t count);
int EnqueueChild(const Options& options, const std::string& database, std::int64_t count);

// The same of workflows: `count` runs of three steps by a worker, or a run of so many steps, which
// another process then goes on with; and so many commits of the limit program.
int RunsChild(const Options& options, const std::string& database, std::int64_t count);
int StepsChild(const Options& options, const std::string& database, std::int64_t count);
int CommitsChild(const Options& options, const std::string& database, std::int64_t count);
int ReplayChild(const Options& options, const std::string& database, std::int64_t count);

inline constexpr std::string_view kWakeChild = "wake";
inline constexpr std::string_view kIdleChild = "idle";
inline constexpr std::string_view kMemoryChild = "memory";
inline constexpr std::string_view kDescribeChild = "describe";
inline constexpr std::string_view kFillChild = "fill";
inline constexpr std::string_view kDrainChild = "drain";
inline constexpr std::string_view kEnqueueChild = "enqueue";
inline constexpr std::string_view kRunsChild = "runs";
inline constexpr std::string_view kStepsChild = "steps";
inline constexpr std::string_view kCommitsChild = "commits";
inline constexpr std::string_view kReplayChild = "replay";

}  // namespace bench

#endif  // PGQRS_BENCH_SCENARIOS_H_
