// A workflow that waits for something from outside, for a while.
#include <pgqrs/pgqrs.h>

#include <chrono>
#include <iostream>
#include <string>

int main() {
  using std::chrono::hours;
  auto store = pgqrs::PgqrsStore::Connect("sqlite::memory:");

  const auto order = pgqrs::DefineWorkflow("order", [](pgqrs::RunContext& run) -> std::string {
    // The run holds no worker and no thread while it waits.
    const auto payment = run.WaitForEvent("payment", hours(24));
    if (!payment) return "given up";
    return "paid by " + payment->AsString();
  });

  pgqrs::WorkflowWorker worker(store, {order});
  worker.Start();
  const auto run = store.Trigger(order);
  // An event may also come before the run waits for it.
  store.Workflows().SendEvent(run.id(), "payment", "card");
  std::cout << run.Result(std::chrono::seconds(30)) << "\n";
}
