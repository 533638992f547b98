// A run of a workflow, seen from outside.
#ifndef PGQRS_RUN_H_
#define PGQRS_RUN_H_

#include <pgqrs/future.h>
#include <pgqrs/json.h>
#include <pgqrs/json_converter.h>
#include <pgqrs/time.h>
#include <pgqrs/workflow_records.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace pgqrs {

namespace internal {
class StoreCore;
}  // namespace internal

struct TriggerOptions {
  // The same key gives the same run of a workflow, however often it is triggered, until retention
  // has removed the run. At most 255 bytes of UTF-8. Empty: none.
  std::string idempotency_key = {};

  // When the run may begin, from now on. None: at once.
  std::optional<Duration> delay = {};

  // 0 goes first, to 9.
  int priority = 5;
};

// A run by its id. Copies are cheap. Every call works from any thread, and throws ValidationError
// where retention has removed the run.
class RunHandle {
 public:
  RunHandle(std::shared_ptr<internal::StoreCore> store, std::int64_t id)
      : store_(std::move(store)), id_(id) {}

  std::int64_t id() const { return id_; }

  RunInfo Info() const;
  Future<RunInfo> InfoAsync() const;
  RunStatus Status() const { return Info().status; }

  // Waits for the end of the run and gives its output. WorkflowError where it failed or was
  // cancelled, TimeoutError where it has not ended in time. Not to be waited for on the store's
  // callback thread (see Future).
  Json ResultJson(std::optional<Duration> timeout = std::nullopt) const;
  Future<Json> ResultJsonAsync(std::optional<Duration> timeout = std::nullopt) const;

  // Cancels the run with its children, and answers whether the run itself was neither finished nor
  // Cancelling before. One that a worker executes is Cancelling until its next call of the context,
  // any other one is Cancelled at once.
  bool Cancel() const;
  Future<bool> CancelAsync() const;

  // Pauses the run until Resume. One that a worker executes pauses at its next call of the context.
  // ValidationError where it is finished or Cancelling.
  void Pause() const;
  Future<void> PauseAsync() const;

  // Lets a paused run go on, and takes back a pause that has not begun. ValidationError where it is
  // finished or Cancelling.
  void Resume() const;
  Future<void> ResumeAsync() const;

 protected:
  std::shared_ptr<internal::StoreCore> store_;
  std::int64_t id_;
};

// The same with the type of its output.
template <typename Output>
class Run : public RunHandle {
 public:
  using RunHandle::RunHandle;
  explicit Run(RunHandle handle) : RunHandle(std::move(handle)) {}

  Output Result(std::optional<Duration> timeout = std::nullopt) const {
    return FromJson<Output>(ResultJson(timeout));
  }
};

}  // namespace pgqrs

#endif  // PGQRS_RUN_H_
