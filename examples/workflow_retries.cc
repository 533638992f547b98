// Steps that fail: tried again later, given up, and gone on with by hand.
#include <pgqrs/pgqrs.h>

#include <chrono>
#include <iostream>
#include <stdexcept>

int main() {
  using std::chrono::milliseconds;
  using std::chrono::seconds;
  auto store = pgqrs::PgqrsStore::Connect("sqlite::memory:");
  int tries = 0;
  bool is_mended = false;

  const auto flaky = pgqrs::DefineWorkflow("flaky", [&](pgqrs::RunContext& run) {
    // Between two tries the run waits, and its worker does other things.
    run.Step("call the service",
             [&] {
               if (++tries < 3) throw std::runtime_error("no answer");
             },
             {.retry = pgqrs::StepRetryPolicy{
                  .max_attempts = 5,
                  .backoff = pgqrs::Backoff::ExponentialWithJitter(milliseconds(10), seconds(1))}});
    // Without a policy a step that throws fails the run.
    return run.Step("use the answer", [&] {
      if (!is_mended) throw std::runtime_error("the answer is odd");
      return tries;
    });
  });

  pgqrs::WorkflowWorker worker(store, {flaky});
  worker.Start();
  const auto run = store.Trigger(flaky);
  try {
    run.Result(seconds(30));
  } catch (const pgqrs::WorkflowError& error) {
    std::cout << error.what() << " (in step \"" << error.step() << "\")\n";
  }
  is_mended = true;
  store.Workflows().Retry(run.id());  // What has succeeded does not run again.
  std::cout << run.Result(seconds(30)) << " tries\n";
}
