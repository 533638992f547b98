// Runs pgqrs and straight SQLite programs next to each other on one disk, and compares them.
#include <sys/prctl.h>

#include <CLI/CLI.hpp>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "machine.h"
#include "measure.h"
#include "options.h"
#include "report.h"
#include "scenarios.h"
#include "watchdog.h"

namespace bench {
namespace {

constexpr std::array kScenarios = {
    Scenario{"drain-50", DrainFifty},
    Scenario{"drain-1000", DrainThousand},
    Scenario{"drain-lone", DrainLoneMessages},
    Scenario{"drain-threads", DrainManyThreads},
    Scenario{"enqueue-lone", EnqueueAlone},
    Scenario{"enqueue-threads", EnqueueManyThreads},
    Scenario{"enqueue-batch", EnqueueInBatches},
    Scenario{"long-queue", LongQueue},
    Scenario{"long-archive", LongArchive},
    Scenario{"wake-same-process", WakeSameProcess},
    Scenario{"wake-other-process", WakeOtherProcess},
    Scenario{"idle-cpu", IdleCpu},
    Scenario{"memory", FlatMemory},
    Scenario{"open", OpenExisting},
};

constexpr std::chrono::seconds kScenarioLimit = std::chrono::minutes(5);

struct CommandLine {
  Options options;
  std::vector<std::string> filters;
  std::filesystem::path json_file;
  bool quick = false;
  bool list = false;
  std::string child;
};

void AddOptions(CLI::App& app, CommandLine& line) {
  auto& options = line.options;
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
  app.add_option("--synchronous", options.synchronous,
                 "full: survives the loss of power; normal: the death of the process")
      ->check(CLI::IsMember({"full", "normal"}))
      ->capture_default_str();
  app.add_option("--dir", options.folder,
                 "a folder on the disk to measure; by default the one of this program")
      ->check(CLI::ExistingDirectory);
  app.add_option("--json", line.json_file, "write the results to this file too");
  app.add_flag("--list", line.list, "name the scenarios");
  app.add_option("--child", line.child)->group("");  // Hidden: see ChildProcess.
}

bool IsWanted(const CommandLine& line, std::string_view name) {
  return line.filters.empty() || std::ranges::any_of(line.filters, [&](const auto& filter) {
           return name.find(filter) != std::string_view::npos;
         });
}

int RunChild(const CommandLine& line) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (line.child == kWakeChild) return WakeChild(line.options);
  if (line.child == kIdleChild) return IdleChild(line.options);
  if (line.child == kMemoryChild) return MemoryChild(line.options);
  throw std::runtime_error("no such child: " + line.child);
}

std::string UtcNow() {
  const auto now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  std::tm parts{};
  ::gmtime_r(&now, &parts);
  std::array<char, 32> text{};
  std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text.data();
}

nlohmann::json DescribeRun(const Options& options) {
  return {{"started_at", UtcNow()},
          {"versions", DescribeVersions()},
          {"machine", DescribeMachine(options.folder)},
          {"settings",
           {{"rounds", options.rounds},
            {"scale", options.scale},
            {"synchronous", options.synchronous},
            {"folder", options.folder.string()}}}};
}

void PrintHeader(const nlohmann::json& run) {
  const auto& machine = run.at("machine");
  const auto& versions = run.at("versions");
  const auto& settings = run.at("settings");
  std::printf("pgqrs %s, SQLite %s, synchronous=%s, %s build\n",
              versions.at("pgqrs").get<std::string>().c_str(),
              versions.at("sqlite").get<std::string>().c_str(),
              settings.at("synchronous").get<std::string>().c_str(),
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
  SayProgress("--- " + std::string(scenario.name));
  try {
    for (auto& line : scenario.run(options)) report.lines.push_back(std::move(line));
  } catch (const std::exception& error) {
    SayProgress(std::string("FAILED: ") + error.what());
    report.failures.push_back({std::string(scenario.name), error.what()});
  }
}

int RunAll(CommandLine& line) {
  if (line.options.folder.empty()) {
    line.options.folder = std::filesystem::read_symlink("/proc/self/exe").parent_path();
  }
  Expect(!IsInMemory(line.options.folder), line.options.folder.string() +
                                               " is in memory, where nothing is durable: choose a"
                                               " folder on a disk with --dir");
  const ScratchFolder scratch(line.options.folder);
  line.options.folder = scratch.path();
  Report report;
  nlohmann::json run;
  Watchdog watchdog([&](const std::string& why) {
    // The main thread is stuck, or about to be killed: it changes the report no more.
    report.failures.push_back({"the run", why});
    Publish(report, run, line.json_file);
    std::error_code ignored;
    std::filesystem::remove_all(scratch.path(), ignored);
  });
  watchdog.Begin("the start", kScenarioLimit);
  run = DescribeRun(line.options);
  PrintHeader(run);
  for (const auto& scenario : kScenarios) {
    if (!IsWanted(line, scenario.name)) continue;
    watchdog.Begin(std::string(scenario.name), kScenarioLimit);
    RunScenario(scenario, line.options, report);
  }
  Publish(report, run, line.json_file);
  return report.failures.empty() ? 0 : 1;
}

int Run(CommandLine& line) {
  if (line.list) {
    for (const auto& scenario : kScenarios) {
      std::printf("%s\n", std::string(scenario.name).c_str());
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
      "Compares pgqrs with straight SQLite programs on the same tables and the same disk.\n"
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
