// A run that sleeps holds nothing: no thread, no lease, no connection. Ten thousand of them cost no
// more than their rows.
#include <pgqrs/pgqrs.h>

#include <chrono>
#include <iostream>
#include <string>
#include <vector>

int main() {
  using std::chrono::milliseconds;
  auto store = pgqrs::PgqrsStore::Connect("sqlite::memory:");

  const auto reminder =
      pgqrs::DefineWorkflow("reminder", [](pgqrs::RunContext& run, const std::string& name) {
        run.Step("welcome", [] {});
        run.Sleep(milliseconds(200));  // Could be a month: the time is kept in the database.
        return run.Step("remind", [&] { return "do not forget, " + name; });
      });

  // One thread, and yet all of them sleep at the same time.
  pgqrs::WorkflowWorker worker(store, {reminder}, {.concurrency = 1});
  worker.Start();
  const auto begin = std::chrono::steady_clock::now();
  std::vector<pgqrs::Run<std::string>> runs;
  for (const char* name : {"Ada", "Grace", "Edsger", "Barbara", "Tony"}) {
    runs.push_back(store.Trigger(reminder, name));
  }
  for (const auto& run : runs) std::cout << run.Result(std::chrono::seconds(30)) << "\n";
  const auto took = std::chrono::steady_clock::now() - begin;
  std::cout << (took < 5 * milliseconds(200) ? "together" : "one after the other") << "\n";
}
