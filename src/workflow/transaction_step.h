// A step whose body works on the database in the transaction that records it.
#ifndef PGQRS_WORKFLOW_TRANSACTION_STEP_H_
#define PGQRS_WORKFLOW_TRANSACTION_STEP_H_

#include <pgqrs/json.h>

#include <cstdint>
#include <functional>
#include <utility>

#include "driver/driver.h"
#include "workflow/request.h"

namespace pgqrs::workflow {

// To be carried out by Engine::Transact, on the thread that executes the run:
//
//   TransactionStep step(run, epoch, stored, [&](driver::Connection& connection) { … });
//   engine.Transact([&](auto& connection) { step.Run(connection); },
//                   [&](auto& connection) { return step.IsRecorded(connection); });
//
// The body uses Connection::Query and nothing else of the connection. It may be called again where
// its transaction was rolled back because other transactions stood in the way, or the connection
// was lost; of all calls one at most is committed. What it throws rolls the transaction back and
// comes out of Transact as it is.
class TransactionStep {
 public:
  // Gives the step's output.
  using Body = std::function<Json(driver::Connection&)>;

  // The execution was fenced off while the body ran. It rolls the transaction back, and comes out
  // of Transact too.
  struct FencedOff {};

  TransactionStep(const RunRef& run, std::int64_t epoch, StoredStep step, Body body)
      : run_(run), epoch_(epoch), step_(std::move(step)), body_(std::move(body)) {}

  // Calls the body unless the run is fenced off, and then records the step as a Success. The run is
  // locked for the record alone: whoever wants to do something to it does not wait for the body.
  void Run(driver::Connection& connection);

  // Whether an earlier attempt, whose commit was not answered, has happened.
  bool IsRecorded(driver::Connection& connection);

  // Whether the body's effects and the record are there, and output() is it. Where not, outcome()
  // says why: it was fenced off before the body was called.
  bool is_recorded() const { return is_recorded_; }
  // Where it is recorded, whether the execution may go on.
  Outcome outcome() const { return outcome_; }
  const Json& output() const { return *step_.output; }

 private:
  RunRef run_;
  std::int64_t epoch_;
  StoredStep step_;
  Body body_;
  bool is_recorded_ = false;
  Outcome outcome_ = Outcome::kStale;
};

}  // namespace pgqrs::workflow

#endif  // PGQRS_WORKFLOW_TRANSACTION_STEP_H_
