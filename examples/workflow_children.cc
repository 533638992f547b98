// Work that is spread: child runs, which any worker may execute, and branches within one run.
#include <pgqrs/pgqrs.h>

#include <chrono>
#include <functional>
#include <iostream>
#include <string>
#include <vector>

int main() {
  auto store = pgqrs::PgqrsStore::Connect("sqlite::memory:");

  const auto square = pgqrs::DefineWorkflow("square", [](pgqrs::RunContext& run, int number) {
    return run.Step("multiply", [&] { return number * number; });
  });

  const auto sum = pgqrs::DefineWorkflow("sum_of_squares", [&](pgqrs::RunContext& run, int count) {
    // A child is triggered once, however often this function is called. It is cancelled with
    // its parent.
    std::vector<pgqrs::ChildRun<int>> children;
    for (int i = 1; i <= count; ++i) children.push_back(run.Child(square, i));
    // The parent holds nothing while it waits for a result.
    int total = 0;
    for (const auto& child : children) total += child.Result();

    // Branches run at the same time, each on a thread and with steps of its own.
    using Branch = std::function<std::string(pgqrs::RunContext&)>;
    const auto texts = run.Parallel<std::string>(
        "texts",
        std::vector<Branch>{[&](pgqrs::RunContext& branch) {
                              return branch.Step("decimal", [&] { return std::to_string(total); });
                            },
                            [&](pgqrs::RunContext& branch) {
                              return branch.Step("unary", [&] { return std::string(total, '|'); });
                            }});
    return texts[0] + " = " + texts[1];
  });

  pgqrs::WorkflowWorker worker(store, {sum, square}, {.concurrency = 4});
  worker.Start();
  std::cout << store.Trigger(sum, 3).Result(std::chrono::seconds(30)) << "\n";
}
