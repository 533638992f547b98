#ifndef PGQRS_TESTS_FAULT_WORKLOAD_H_
#define PGQRS_TESTS_FAULT_WORKLOAD_H_

#include <pgqrs/pgqrs.h>

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fault/expectations.h"

namespace pgqrs::testing {

// A small fixed piece of work with one call of each kind, and what has to be in the database after
// it. Any of its calls may fail; the others go on.
class Workload {
 public:
  // Told after each call that failed as it should where the disk fails: which call it was, the text
  // of the error, and what has to be in the database then. Other errors end the running test.
  using OnError = std::function<void(std::string_view call, std::string_view error,
                                     const Expectations& expectations)>;

  Workload(Config config, OnError on_error);

  // Where the first opening fails it is repeated after `on_error`, which may repair the cause.
  void Run();

  // Few calls with so much data that commits copy the log into the database.
  void RunLarge();

  // What a store does once the disk is well again: takes and finishes what waits, and adds one.
  void GoOn();

  PgqrsStore& store() { return *store_; }
  // Closes the store, which gives back what it holds.
  void Close();
  const Expectations& expectations() const { return expectations_; }

 private:
  // Whether a call took place.
  enum class Outcome { kDone, kNot, kUnknown };

  Outcome Attempt(std::string_view what, const std::function<void()>& call);
  void ReportError();
  void Open();
  void Enqueue(const std::vector<Json>& payloads);
  void Dequeue(int count);
  void Settle(std::string_view what, const std::string& state,
              const std::function<bool(Message&)>& call);
  void Look(std::string_view what, const std::function<void()>& call);
  // A call in several transactions, which may carry messages of one state to another.
  void Sweep(std::string_view what, const std::string& from, const std::string& to,
             const std::function<void()>& call);

  const Config config_;
  const OnError on_error_;
  std::optional<PgqrsStore> store_;
  std::optional<Queue> queue_;
  std::vector<Message> held_;
  // The call that failed and is not reported yet, and its error.
  std::string failed_;
  std::string error_;
  Expectations expectations_;
};

}  // namespace pgqrs::testing

#endif  // PGQRS_TESTS_FAULT_WORKLOAD_H_
