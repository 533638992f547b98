// The workflow that the crash tests kill.
#ifndef PGQRS_TESTS_CRASH_CRASH_WORKFLOW_H_
#define PGQRS_TESTS_CRASH_CRASH_WORKFLOW_H_

#include <pgqrs/pgqrs.h>

#include <chrono>
#include <functional>
#include <string>

namespace pgqrs::testing {

// The calls of its context, and the places at which it may die: before a body, behind it, and
// behind the record, for each of the four steps.
inline constexpr int kCrashSteps = 5;
inline constexpr int kCrashBoundaries = 12;

// Each transaction step inserts a row with the run's id into the table `effects`. `boundary` is
// called at each of those places.
inline auto CrashWorkflow(std::function<void()> boundary) {
  const auto with_boundaries = [boundary](auto body) {
    return [boundary, body](auto&... arguments) {
      boundary();
      auto result = body(arguments...);
      boundary();
      return result;
    };
  };
  return DefineWorkflow("crashed", [boundary, with_boundaries](RunContext& run) {
    const auto insert = [&](Transaction& transaction) {
      return transaction.Execute("INSERT INTO effects (run) VALUES (" + std::to_string(run.id()) +
                                 ")");
    };
    std::int64_t sum = run.Step("one", with_boundaries([] { return 1; }));
    boundary();
    sum += run.TransactionStep("first", with_boundaries(insert));
    boundary();
    run.Sleep(std::chrono::milliseconds(1));
    sum += run.TransactionStep("second", with_boundaries(insert));
    boundary();
    sum += run.Step("two", with_boundaries([] { return 2; }));
    boundary();
    return sum;
  });
}

}  // namespace pgqrs::testing

#endif  // PGQRS_TESTS_CRASH_CRASH_WORKFLOW_H_
