// What is done to runs from outside: pause, resume, cancel, fork, list, and removal in the end.
#include <pgqrs/pgqrs.h>

#include <chrono>
#include <iostream>
#include <string>

int main() {
  constexpr auto kPatience = std::chrono::seconds(30);
  auto store = pgqrs::PgqrsStore::Connect("sqlite::memory:");
  const auto letter =
      pgqrs::DefineWorkflow("letter", [](pgqrs::RunContext& run, const std::string& name) {
        const auto text = run.Step("write", [&] { return "Dear " + name; });
        return run.Step("sign", [&] { return text + ", yours"; });
      });

  const auto paused = store.Trigger(letter, "Ada");
  paused.Pause();
  const auto cancelled = store.Trigger(letter, "Nobody");
  cancelled.Cancel();

  pgqrs::WorkflowWorker worker(store, {letter});
  worker.Start();
  std::cout << store.Trigger(letter, "Grace").Result(kPatience) << "\n";
  std::cout << "Ada's is " << ToString(paused.Status()) << "\n";
  paused.Resume();
  std::cout << paused.Result(kPatience) << "\n";

  // A new run with the steps before "sign" of the old one.
  auto workflows = store.Workflows();
  const auto fork = workflows.Fork(paused.id(), "sign");
  std::cout << fork.ResultJson(kPatience).AsString() << "\n";

  const auto finished = workflows.Runs(
      {.workflow = "letter", .statuses = {pgqrs::RunStatus::kSuccess}, .limit = 100});
  std::cout << finished.size() << " have succeeded, one is " << ToString(cancelled.Status())
            << "\n";
  std::cout << workflows.ApplyRetention("letter", {.max_count = 1}) << " removed\n";
}
