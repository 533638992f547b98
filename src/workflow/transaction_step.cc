#include "workflow/transaction_step.h"

#include "queue/rows.h"
#include "workflow/run_rows.h"
#include "workflow/run_step.h"

namespace pgqrs::workflow {

void TransactionStep::Run(driver::Connection& connection) {
  outcome_ = FenceOf(LockRun(connection, run_.id), epoch_);
  if (outcome_ != Outcome::kDone) return;
  const auto found = FindStep(connection, run_.id, step_.name, step_.ordinal);
  if (found && found->status == StepStatus::kSuccess) {
    // Only one that has missed what another epoch has recorded gets here.
    outcome_ = Outcome::kStale;
    return;
  }
  const auto now = queue::ToMicros(connection.Now());
  auto step = step_;
  step.output = body_(connection);
  step.kind = StepKind::kTransaction;
  step.status = StepStatus::kSuccess;
  step.error.reset();
  step.retry_at.reset();
  if (!RecordStep(connection, run_.id, epoch_, step, now)) outcome_ = Outcome::kStale;
  step_.output = std::move(step.output);
}

bool TransactionStep::IsRecorded(driver::Connection& connection) {
  // Behind the earlier attempt, if that is still at it.
  LockRun(connection, run_.id);
  const auto found = FindStep(connection, run_.id, step_.name, step_.ordinal);
  if (!found || found->status != StepStatus::kSuccess || found->epoch != epoch_) return false;
  step_.output = found->output;
  outcome_ = Outcome::kDone;
  return true;
}

}  // namespace pgqrs::workflow
