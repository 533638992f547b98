// Steps that fail: some are tried again, later each time, others end the run, which can be retried
// from there.
#include <pgqrs/pgqrs.h>

#include <atomic>
#include <chrono>
#include <iostream>
#include <stdexcept>
#include <string>

int main() {
  using std::chrono::milliseconds;
  constexpr auto kPatience = std::chrono::seconds(30);
  auto store = pgqrs::PgqrsStore::Connect("sqlite::memory:");

  std::atomic<int> calls = 0;
  std::atomic<bool> is_printer_on = false;
  const auto report = pgqrs::DefineWorkflow("report", [&](pgqrs::RunContext& run) {
    // Between two tries the run waits in the database, and the worker has time for others.
    const auto text =
        run.Step("fetch",
                 [&] {
                   if (++calls < 3) throw std::runtime_error("the server is busy");
                   return "fetched at try " + std::to_string(calls);
                 },
                 {.retry = pgqrs::StepRetryPolicy{
                      .max_attempts = 5,
                      .backoff = pgqrs::Backoff::Exponential(milliseconds(5), milliseconds(100))}});
    run.Step("print", [&] {
      if (!is_printer_on) throw std::runtime_error("the printer is off");
    });
    return text;
  });
  pgqrs::WorkflowWorker worker(store, {report});
  worker.Start();

  const auto run = store.Trigger(report);
  try {
    run.Result(kPatience);
  } catch (const pgqrs::WorkflowError& error) {
    // The text, the kind and the place of what was thrown.
    std::cout << error.what() << "\n" << error.code() << " in step " << error.step() << "\n";
  }

  // Steps that have succeeded do not run again.
  is_printer_on = true;
  store.Workflows().Retry(run.id());
  std::cout << run.Result(kPatience) << ", " << calls << " calls in all\n";
}
