// A workflow: a function whose steps are recorded, so that it goes on where it was when its process
// has died.
#include <pgqrs/pgqrs.h>

#include <iostream>
#include <string>
#include <utility>

int main() {
  auto store = pgqrs::PgqrsStore::Connect("sqlite::memory:");

  // Takes an amount and gives a receipt; both are kept as JSON.
  const auto order = pgqrs::DefineWorkflow("order", [](pgqrs::RunContext& run, int amount) {
    // What a step gives is recorded before the function goes on. When the function is called again,
    // in another process perhaps, the step gives the same and its body does not run.
    const auto number = run.Step("reserve", [&] {
      std::cout << "reserving for " + std::to_string(amount) + "\n";
      return 1700 + amount;
    });
    // Time and random numbers are recorded too.
    const auto key = run.RandomUuid();
    return run.Step("charge", [&] {
      std::cout << "charging under a key of " + std::to_string(key.size()) + " characters\n";
      return "receipt " + std::to_string(number);
    });
  });

  // A worker executes runs: here, or in any other process with the same store.
  pgqrs::WorkflowWorker worker(store, {order}, {.concurrency = 4});
  worker.Start();

  // Triggering makes a run durable and returns at once. The same key never makes a second run.
  auto run = store.Trigger(order, 42, {.idempotency_key = "order 42"});
  auto same = store.Trigger(order, 42, {.idempotency_key = "order 42"});
  std::cout << (run.id() == same.id() ? "one run\n" : "two runs\n");
  std::cout << run.Result(std::chrono::seconds(30)) << "\n";

  for (const auto& step : store.Workflows().Steps({.run_id = run.id()})) {
    std::cout << step.position << " " << step.name << ": " << ToString(step.status) << "\n";
  }
}
