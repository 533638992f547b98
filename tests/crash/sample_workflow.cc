#include "crash/sample_workflow.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <fstream>
#include <system_error>
#include <tuple>

namespace pgqrs::testing {
namespace {

constexpr auto kSoon = std::chrono::milliseconds(1);
constexpr auto kPatience = std::chrono::seconds(60);

void Post(Transaction& transaction, std::int64_t run_id, const std::string& place) {
  transaction.Execute("INSERT INTO effects (run, place) VALUES (" + std::to_string(run_id) + ", '" +
                      place + "')");
}

// Runs one workflow to its end.
template <typename Output>
Output Execute(PgqrsStore& store, const Workflow<std::monostate, Output>& workflow) {
  WorkflowWorker worker(store, {workflow});
  worker.Start();
  return store.Trigger(workflow).Result(kPatience);
}

}  // namespace

void BodyNotes::Add(std::int64_t run_id, const std::string& name) const {
  const int file = open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (file < 0) throw std::system_error(errno, std::generic_category(), path_);
  const auto line = std::to_string(run_id) + ' ' + name + '\n';
  const bool written = write(file, line.data(), line.size()) == static_cast<ssize_t>(line.size());
  close(file);
  if (!written) throw std::system_error(errno, std::generic_category(), path_);
}

bool BodyNotes::Contain(std::int64_t run_id, const std::string& name) const {
  std::ifstream file(path_);
  std::int64_t id = 0;
  for (std::string each; file >> id >> each;) {
    if (id == run_id && each == name) return true;
  }
  return false;
}

BodyNotes::Counts BodyNotes::Read() const {
  Counts counts;
  std::ifstream file(path_);
  std::int64_t id = 0;
  for (std::string name; file >> id >> name;) ++counts[id][name];
  return counts;
}

SampleWorkflows DefineSample(const BodyNotes& notes, AtBoundary at) {
  const auto child = DefineWorkflow("sample_child", [at](RunContext& run, int number) {
    at("in the child");
    run.TransactionStep("post", [&](Transaction& transaction) {
      at("before the child's post");
      Post(transaction, run.id(), "child");
      at("after the child's post");
    });
    at("behind the child's post");
    return 10 * number;
  });

  auto parent = DefineWorkflow("sample", [notes, at, child](RunContext& run, int number) {
    const auto body = [&](const std::string& name) {
      at("before the body of " + name);
      notes.Add(run.id(), name);
      at("after the body of " + name);
    };
    at("at the beginning");
    const int next = run.Step("first", [&] {
      body("first");
      return number + 1;
    });
    at("behind first");
    run.TransactionStep("post", [&](Transaction& transaction) {
      at("before post");
      Post(transaction, run.id(), "parent");
      at("after post");
    });
    at("behind post");
    run.Sleep(kSoon);
    at("behind the sleep");
    const auto uuid = run.RandomUuid();
    at("behind the UUID");
    run.Now();
    at("behind the time");
    auto started = run.Child(child, next);
    at("behind the start of the child");
    run.Parallel("both",
                 {[&](RunContext& branch) {
                    branch.TransactionStep("post", [&](Transaction& transaction) {
                      at("before the branch's post");
                      Post(transaction, run.id(), "branch");
                      at("after the branch's post");
                    });
                  },
                  [&](RunContext& branch) { branch.Step("step", [&] { body("branch"); }); }});
    at("behind the branches");
    run.WaitForEvent("go");
    at("behind the event");
    const int doubled = started.Result();
    at("behind the end of the child");
    run.Step("retried", [&] {
      const bool is_first = !notes.Contain(run.id(), "retried");
      body("retried");
      if (is_first) throw TransientStepError("not yet", "NotYet", kSoon);
    });
    at("behind the retries");
    return OutputOf(doubled / 10 - 1, uuid);
  });
  return {.parent = std::move(parent), .child = child};
}

std::string OutputOf(int input, const std::string& uuid) {
  return std::to_string(input) + ' ' + uuid;
}

const std::set<std::string>& StepsOfSample() {
  static const std::set<std::string> kSteps = {
      "first", "post",         "sleep",        "uuid", "now",    "sample_child",
      "both",  "both[0]/post", "both[1]/step", "go",   "retried"};
  return kSteps;
}

const std::set<std::string>& StepsOfSampleChild() {
  static const std::set<std::string> kSteps = {"post"};
  return kSteps;
}

const std::set<std::string>& BodiesOfSample() {
  static const std::set<std::string> kBodies = {"first", "branch", "retried"};
  return kBodies;
}

void MakeEffects(PgqrsStore& store) {
  Execute(store, DefineWorkflow("make_effects", [](RunContext& run) {
            run.TransactionStep("make", [](Transaction& transaction) {
              transaction.Execute("CREATE TABLE effects (run bigint, place text)");
            });
            return std::monostate();
          }));
}

Effects CountEffects(PgqrsStore& store) {
  using Row = std::tuple<std::int64_t, std::string, std::int64_t>;
  const auto rows = Execute(
      store, DefineWorkflow("count_effects", [](RunContext& run) {
        return run.TransactionStep("count", [](Transaction& transaction) {
          std::vector<Row> counts;
          for (const auto& row : transaction.Query("SELECT run, place, count(*) FROM effects "
                                                   "GROUP BY run, place")) {
            counts.emplace_back(std::get<std::int64_t>(row[0]), std::get<std::string>(row[1]),
                                std::get<std::int64_t>(row[2]));
          }
          return counts;
        });
      }));
  Effects effects;
  for (const auto& [run, place, count] : rows) effects[run][place] = static_cast<int>(count);
  return effects;
}

}  // namespace pgqrs::testing
