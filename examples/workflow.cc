// A workflow: a function whose steps survive the death of the process.
#include <pgqrs/pgqrs.h>

#include <chrono>
#include <iostream>
#include <string>

int main() {
  auto store = pgqrs::PgqrsStore::Connect("sqlite::memory:");

  // What a step gives is recorded. When the function is called again, after the sleep or after the
  // death of a process, the step is not: the call gives what is recorded.
  const auto greet = pgqrs::DefineWorkflow("greet", [](pgqrs::RunContext& run,
                                                       const std::string& name) {
    const std::string text = run.Step("compose", [&] {
      std::cout << "composing\n";
      return "Hello " + name;
    });
    run.Sleep(std::chrono::milliseconds(20));  // It could be a month; nothing is held meanwhile.
    run.Step("send", [&] { std::cout << "sending: " << text << "\n"; });
    return text;
  });

  pgqrs::WorkflowWorker worker(store, {greet}, {.concurrency = 2});
  worker.Start();

  // The same key gives the same run, however often it is triggered.
  const auto run = store.Trigger(greet, "World", {.idempotency_key = "greeting of today"});
  std::cout << "run " << run.id() << " gave: " << run.Result(std::chrono::seconds(30)) << "\n";

  for (const auto& step : store.Workflows().Steps({.run_id = run.id()})) {
    std::cout << "  " << step.name << ": " << ToString(step.status) << "\n";
  }
}
