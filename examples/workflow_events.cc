// A run that waits for somebody's word, for a limited time.
#include <pgqrs/pgqrs.h>

#include <chrono>
#include <iostream>
#include <optional>
#include <string>

int main() {
  auto store = pgqrs::PgqrsStore::Connect("sqlite::memory:");

  const auto expense = pgqrs::DefineWorkflow("expense", [](pgqrs::RunContext& run, int euros) {
    // While it waits the run holds nothing. An event that comes earlier is kept for it.
    const auto wait = euros > 100 ? std::chrono::milliseconds(50) : std::chrono::hours(24);
    const std::optional<pgqrs::Json> answer = run.WaitForEvent("approval", wait);
    if (!answer) return std::string("nobody has answered");
    return "approved by " + answer->AsString();
  });
  pgqrs::WorkflowWorker worker(store, {expense});
  worker.Start();

  const auto lunch = store.Trigger(expense, 20);
  const auto car = store.Trigger(expense, 20'000);
  store.Workflows().SendEvent(lunch.id(), "approval", "Grace");
  std::cout << "lunch: " << lunch.Result(std::chrono::seconds(30)) << "\n";
  std::cout << "car: " << car.Result(std::chrono::seconds(30)) << "\n";
}
