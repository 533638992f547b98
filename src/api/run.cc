#include <pgqrs/run.h>

#include "api/arguments.h"
#include "api/moved_from.h"
#include "api/run_waiters.h"
#include "api/store_core.h"
#include "workflow/jobs.h"
#include "workflow/reads.h"

namespace pgqrs {

using internal::CheckNotMovedFrom;

Future<RunInfo> RunHandle::InfoAsync() const {
  return CheckNotMovedFrom(store_, "a Run")->Read([id = id_](driver::Connection& connection) {
    return workflow::GetRun(connection, id);
  });
}
RunInfo RunHandle::Info() const { return InfoAsync().Get(); }

Future<Json> RunHandle::ResultJsonAsync(std::optional<Duration> timeout) const {
  if (timeout) internal::CheckDuration("timeout", *timeout, Duration::zero());
  const auto& store = CheckNotMovedFrom(store_, "a Run");
  store->CheckUsable();
  return internal::RunWaiters::Wait(store, id_, timeout);
}
Json RunHandle::ResultJson(std::optional<Duration> timeout) const {
  return ResultJsonAsync(timeout).Get();
}

namespace {

Future<std::int64_t> CancelRun(internal::StoreCore& store, std::int64_t id) {
  return store.RunSteps(workflow::Cancellation(id), &workflow::Cancellation::cancelled);
}

}  // namespace

Future<bool> RunHandle::CancelAsync() const {
  return CancelRun(*CheckNotMovedFrom(store_, "a Run"), id_).Then([](Future<std::int64_t> number) {
    return number.Get() > 0;
  });
}
bool RunHandle::Cancel() const {
  return CancelRun(*CheckNotMovedFrom(store_, "a Run"), id_).Get() > 0;
}

Future<void> RunHandle::PauseAsync() const {
  return CheckNotMovedFrom(store_, "a Run")->Write([id = id_](driver::Connection& connection) {
    workflow::PauseRun(connection, id);
  });
}
void RunHandle::Pause() const { PauseAsync().Get(); }

Future<void> RunHandle::ResumeAsync() const {
  return CheckNotMovedFrom(store_, "a Run")->Write([id = id_](driver::Connection& connection) {
    workflow::ResumeRun(connection, id);
  });
}
void RunHandle::Resume() const { ResumeAsync().Get(); }

}  // namespace pgqrs
