// Workflows that trigger others, and branches that run at the same time.
#include <pgqrs/pgqrs.h>

#include <chrono>
#include <functional>
#include <iostream>
#include <vector>

int main() {
  auto store = pgqrs::PgqrsStore::Connect("sqlite::memory:");

  const auto square = pgqrs::DefineWorkflow("square", [](pgqrs::RunContext& run, int number) {
    return run.Step("multiply", [&] { return number * number; });
  });
  const auto sum = pgqrs::DefineWorkflow("sum", [&](pgqrs::RunContext& run, int count) {
    // Runs of their own, which any worker may execute.
    std::vector<pgqrs::ChildRun<int>> children;
    for (int i = 1; i <= count; ++i) children.push_back(run.Child(square, i));
    int total = 0;
    for (const auto& child : children) total += child.Result();

    // Branches of this run, each on a thread.
    const std::vector<std::function<int(pgqrs::RunContext&)>> branches = {
        [&](pgqrs::RunContext& branch) { return branch.Step("double", [&] { return 2 * total; }); },
        [&](pgqrs::RunContext& branch) { return branch.Step("triple", [&] { return 3 * total; }); },
    };
    for (const int value : run.Parallel("more", branches)) total += value;
    return total;
  });

  pgqrs::WorkflowWorker worker(store, {square, sum}, {.concurrency = 4});
  worker.Start();
  std::cout << store.Trigger(sum, 3).Result(std::chrono::seconds(30)) << "\n";
}
