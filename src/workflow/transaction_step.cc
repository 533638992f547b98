#include "workflow/transaction_step.h"

#include "queue/rows.h"
#include "workflow/run_rows.h"
#include "workflow/run_step.h"

namespace pgqrs::workflow {

void TransactionStep::Run(driver::Connection& connection) {
  is_recorded_ = false;
  outcome_ = FenceOf(PeekRun(connection, run_.id), epoch_);
  if (outcome_ != Outcome::kDone) return;
  auto output = body_(connection);

  const auto run = LockRun(connection, run_.id);
  outcome_ = FenceOf(run, epoch_);
  auto step = step_;
  step.output = std::move(output);
  step.kind = StepKind::kTransaction;
  step.status = StepStatus::kSuccess;
  step.error.reset();
  step.retry_at.reset();
  const bool is_recorded = MayRecord(outcome_, run) && StoreStep(connection, run_.id, epoch_, step,
                                                                 queue::ToMicros(connection.Now()));
  if (!is_recorded) {
    outcome_ = Outcome::kStale;
    throw FencedOff();
  }
  step_.output = std::move(step.output);
  is_recorded_ = true;
}

bool TransactionStep::IsRecorded(driver::Connection& connection) {
  // Behind the earlier attempt, if that is still at it.
  const auto run = LockRun(connection, run_.id);
  const auto found = FindStep(connection, run_.id, step_.name, step_.ordinal);
  if (!found || found->status != StepStatus::kSuccess || found->epoch != epoch_) return false;
  step_.output = found->output;
  outcome_ = FenceOf(run, epoch_);
  is_recorded_ = true;
  return true;
}

}  // namespace pgqrs::workflow
