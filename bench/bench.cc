// Runs pgqrs and straight programs against SQLite, Postgres and Turso next to each other on one
// disk, and compares them.
#include <sys/prctl.h>

#include <CLI/CLI.hpp>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "child_process.h"
#include "machine.h"
#include "measure.h"
#include "options.h"
#include "report.h"
#include "scenarios.h"
#include "server.h"
#include "watchdog.h"

namespace bench {
namespace {

constexpr int kMostMinutes = 60;

using std::chrono::minutes;

constexpr auto kOnFiles = Backend::kSqlite | Backend::kTurso;
// By several processes.
constexpr auto kOnSharedOnes = Backend::kSqlite | Backend::kPostgres;

constexpr std::array kScenarios = {
    Scenario{"drain-50", DrainFifty},
    Scenario{"drain-500", DrainFiveHundred, Backend::kPostgres},
    Scenario{"drain-1000", DrainThousand, kOnFiles},
    Scenario{"drain-lone", DrainLoneMessages},
    Scenario{"drain-lone-500", DrainLoneFiveHundred, Backend::kPostgres},
    Scenario{"drain-threads", DrainManyThreads},
    Scenario{"enqueue-lone", EnqueueAlone},
    Scenario{"enqueue-threads", EnqueueManyThreads},
    Scenario{"enqueue-batch", EnqueueInBatches},
    Scenario{"long-queue", LongQueue},
    Scenario{"long-archive", LongArchive, kEverywhere, minutes(30)},
    Scenario{"wake-same-process", WakeSameProcess, kOnFiles},
    Scenario{"wake-other-process", WakeOtherProcess, kOnSharedOnes},
    Scenario{"idle-cpu", IdleCpu},
    Scenario{"memory", FlatMemory, kOnFiles},
    Scenario{"open", OpenExisting, kOnFiles},
    Scenario{"cost", CostOfMessage, Backend::kPostgres},
    Scenario{"workflow-steps", WorkflowSteps},
    Scenario{"workflow-runs", WorkflowRuns},
    Scenario{"workflow-replay", WorkflowReplay},
    Scenario{"workflow-cost", CostOfStep, Backend::kPostgres},
    Scenario{"steady-alone", SteadyState, Backend::kPostgres, minutes(kMostMinutes + 5)},
    Scenario{"steady-pinned", PinnedState, Backend::kPostgres, minutes(kMostMinutes + 5)},
};

struct CommandLine {
  Options options;
  std::string backend = "sqlite";
  std::vector<std::string> filters;
  std::filesystem::path json_file;
  bool quick = false;
  bool list = false;
  std::string child;
  std::string database;    // Of the child,
  std::int64_t count = 0;  // and its messages.

  bool Uses(Backend each) const { return backend == "all" || backend == NameOf(each); }
};

void AddOptions(CLI::App& app, CommandLine& line) {
  auto& options = line.options;
  std::vector<std::string> names = {"all"};
  for (const auto backend : kBackends) names.emplace_back(NameOf(backend));
  app.add_option("--backend", line.backend, "one of the databases, or all of them")
      ->check(CLI::IsMember(names))
      ->capture_default_str();
  app.add_option("--dsn", options.dsn,
                 "the Postgres server; where it is missing scripts/bench starts one")
      ->envname(kDsnVariable);
  auto* rounds =
      app.add_option("--rounds", options.rounds, "how often each side runs; the medians count")
          ->check(CLI::Range(1, 1000))
          ->capture_default_str();
  auto* scale =
      app.add_option("--scale", options.scale, "of the numbers of messages and the durations")
          ->check(CLI::Range(0.001, 100.0))
          ->capture_default_str();
  app.add_flag("--quick", line.quick, "3 rounds at a scale of 0.15: rough figures in 3 minutes")
      ->excludes(rounds)
      ->excludes(scale);
  app.add_option("--scenario", line.filters,
                 "only scenarios with this in their names; may be repeated (--list names them)");
  app.add_option(
         "--synchronous", options.synchronous,
         "SQLite and Turso; full: survives the loss of power; normal: the death of the process")
      ->check(CLI::IsMember({"full", "normal"}))
      ->capture_default_str();
  app.add_option("--archived", options.archived, "Postgres; how many messages long-archive writes")
      ->check(CLI::Range(64, 1'000'000'000))
      ->capture_default_str();
  app.add_option("--minutes", options.minutes, "Postgres; how long steady runs")
      ->check(CLI::Range(2, kMostMinutes))
      ->capture_default_str();
  app.add_option("--dir", options.folder,
                 "a folder on the disk to measure; by default the one of this program")
      ->check(CLI::ExistingDirectory);
  app.add_option("--json", line.json_file, "write the results to this file too");
  app.add_flag("--list", line.list, "name the scenarios");
  app.add_option("--child", line.child)->group("");  // Hidden: see ChildProcess.
  app.add_option("--database", line.database)->group("");
  app.add_option("--count", line.count)->group("");
}

bool IsWanted(const CommandLine& line, const Scenario& scenario, Backend backend) {
  if (!Contains(scenario.on, backend)) return false;
  return line.filters.empty() || std::ranges::any_of(line.filters, [&](const auto& filter) {
           return scenario.name.find(filter) != std::string_view::npos;
         });
}

std::string UtcNow() {
  const auto now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  std::tm parts{};
  ::gmtime_r(&now, &parts);
  std::array<char, 32> text{};
  std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text.data();
}

// Whose version it is, of a server that is fit to be measured.
std::string CheckServer(const CommandLine& line) {
  if (!line.Uses(Backend::kPostgres)) return "";
  Expect(!line.options.dsn.empty(), "no --dsn; scripts/bench starts a server by itself");
  ::setenv(kDsnVariable, line.options.dsn.c_str(), 1);
  ::setenv("PGAPPNAME", kApplicationName, 1);
  Server server(line.options.dsn);
  server.ExpectDurable();
  return server.Setting("server_version");
}

nlohmann::json DescribeRun(const CommandLine& line, const std::string& postgres) {
  const auto& options = line.options;
  return {{"started_at", UtcNow()},
          {"versions", DescribeVersions(postgres)},
          {"machine", DescribeMachine(options.folder)},
          {"settings",
           {{"backend", line.backend},
            {"rounds", options.rounds},
            {"scale", options.scale},
            {"synchronous", options.synchronous},
            {"folder", options.folder.string()}}}};
}

void ChooseFolder(Options& options) {
  if (options.folder.empty()) {
    options.folder = std::filesystem::read_symlink("/proc/self/exe").parent_path();
  }
  Expect(!IsInMemory(options.folder), options.folder.string() +
                                          " is in memory, where nothing is durable: choose a"
                                          " folder on a disk with --dir");
}

int RunChild(CommandLine& line) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (line.child == kDescribeChild) {
    ChooseFolder(line.options);
    Answer(DescribeRun(line, CheckServer(line)));
    return 0;
  }
  line.options.backend =
      *std::ranges::find_if(kBackends, [&](auto each) { return line.Uses(each); });
  if (line.child == kWakeChild) return WakeChild(line.options, line.database);
  if (line.child == kIdleChild) return IdleChild(line.options, line.database);
  if (line.child == kMemoryChild) return MemoryChild(line.options, line.database);
  if (line.child == kFillChild) return FillChild(line.options, line.database, line.count);
  if (line.child == kDrainChild) return DrainChild(line.options, line.database, line.count);
  if (line.child == kEnqueueChild) return EnqueueChild(line.options, line.database, line.count);
  if (line.child == kRunsChild) return RunsChild(line.options, line.database, line.count);
  if (line.child == kStepsChild) return StepsChild(line.options, line.database, line.count);
  if (line.child == kCommitsChild) return CommitsChild(line.options, line.database, line.count);
  if (line.child == kReplayChild) return ReplayChild(line.options, line.database, line.count);
  throw std::runtime_error("no such child: " + line.child);
}

void PrintHeader(const nlohmann::json& run) {
  const auto& machine = run.at("machine");
  const auto& versions = run.at("versions");
  const auto& settings = run.at("settings");
  const auto postgres = versions.at("postgres").get<std::string>();
  std::printf("pgqrs %s, SQLite %s, synchronous=%s, %s%s build\n",
              versions.at("pgqrs").get<std::string>().c_str(),
              versions.at("sqlite").get<std::string>().c_str(),
              settings.at("synchronous").get<std::string>().c_str(),
              postgres.empty() ? "" : ("Postgres " + postgres + ", ").c_str(),
              versions.at("build_type").get<std::string>().c_str());
  std::printf("%s, %d cores, %s; a sync takes %.2f ms; median of %d rounds, scale %g\n\n",
              machine.at("processor").get<std::string>().c_str(), machine.at("cores").get<int>(),
              machine.at("file_system").get<std::string>().c_str(),
              machine.at("sync_ms").get<double>(), settings.at("rounds").get<int>(),
              settings.at("scale").get<double>());
  std::fflush(stdout);
}

void Publish(const Report& report, nlohmann::json run, const std::filesystem::path& json_file) {
  std::printf("%s\n", report.Table().c_str());
  std::printf("ratio: pgqrs ÷ limit, the median of the ratios of the rounds.\n");
  std::fflush(stdout);
  if (json_file.empty()) return;
  run.update(report.ToJson());
  std::ofstream file(json_file);
  file << run.dump(2) << "\n";
  file.close();
  Expect(file.good(), "cannot write " + json_file.string());
}

void RunScenario(const Scenario& scenario, const Options& options, Report& report) {
  SayProgress("--- " + std::string(NameOf(options.backend)) + ", " + std::string(scenario.name));
  try {
    for (auto& line : scenario.run(options)) {
      line.backend = NameOf(options.backend);
      report.lines.push_back(std::move(line));
    }
  } catch (const std::exception& error) {
    SayProgress(std::string("FAILED: ") + error.what());
    report.failures.push_back({std::string(scenario.name), error.what()});
  }
}

int RunAll(CommandLine& line) {
  ChooseFolder(line.options);
  const ScratchFolder scratch(line.options.folder);
  line.options.folder = scratch.path();
  const auto postgres = CheckServer(line);
  Report report;
  nlohmann::json run;
  Watchdog watchdog([&](const std::string& why) {
    // The main thread is stuck, or about to be killed: it changes the report no more.
    report.failures.push_back({"the run", why});
    Publish(report, run, line.json_file);
    std::error_code ignored;
    std::filesystem::remove_all(scratch.path(), ignored);
  });
  watchdog.Begin("the start", minutes(5));
  run = DescribeRun(line, postgres);
  PrintHeader(run);
  for (const auto backend : kBackends) {
    if (!line.Uses(backend)) continue;
    line.options.backend = backend;
    for (const auto& scenario : kScenarios) {
      if (!IsWanted(line, scenario, backend)) continue;
      watchdog.Begin(std::string(scenario.name), scenario.patience);
      RunScenario(scenario, line.options, report);
    }
  }
  Publish(report, run, line.json_file);
  return report.failures.empty() ? 0 : 1;
}

int Run(CommandLine& line) {
  if (line.list) {
    for (const auto& scenario : kScenarios) {
      std::string on;
      for (const auto backend : kBackends) {
        if (Contains(scenario.on, backend)) on += " " + std::string(NameOf(backend));
      }
      std::printf("%-18s (%s)\n", std::string(scenario.name).c_str(), on.substr(1).c_str());
    }
    return 0;
  }
  if (line.quick) {
    line.options.rounds = 3;
    line.options.scale = 0.15;
  }
  return line.child.empty() ? RunAll(line) : RunChild(line);
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) {
  CLI::App app(
      "Compares pgqrs with straight programs on the same database, tables and disk.\n"
      "The exit code is 0 where every scenario ran and did what it must, whatever the figures.");
  bench::CommandLine line;
  bench::AddOptions(app, line);
  CLI11_PARSE(app, argc, argv);
  try {
    return bench::Run(line);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "pgqrs_bench: %s\n", error.what());
    return 1;
  }
}
