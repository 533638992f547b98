// What the tests of workflows share.
#ifndef PGQRS_TESTS_CONFORMANCE_WORKFLOW_TEST_H_
#define PGQRS_TESTS_CONFORMANCE_WORKFLOW_TEST_H_

#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "conformance/conformance_test.h"
#include "conformance/queue_worker_fixture.h"

namespace pgqrs::testing {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr Duration kLongEnough = seconds(30);

class WorkflowTest : public ConformanceTest {
 protected:
  WorkflowTest() {
    // A worker that waits does not see by itself that a manual clock was moved.
    config().fallback_poll_interval = milliseconds(5);
  }

  // Opens the store of this test, which is verified at its end.
  PgqrsStore& OpenStore() {
    store_.emplace(Open());
    return *store_;
  }
  PgqrsStore& store() { return *store_; }

  void TearDown() override {
    if (!store_ || HasFailure()) return;
    EXPECT_NO_THROW(store_->Admin().Verify());
  }

  // Whether the run comes to that status in time.
  static bool Becomes(const RunHandle& run, RunStatus status) {
    return Eventually([&] { return run.Status() == status; });
  }

  // Whether the run comes to rest, to go on later: nobody holds its message.
  bool ComesToRest(const RunHandle& run) {
    return Eventually([&] {
      return run.Status() == RunStatus::kRunning &&
             store().FindMessage(run.id())->state == MessageState::kDelayed;
    });
  }

  std::vector<StepInfo> StepsOf(const RunHandle& run) {
    return store().Workflows().Steps({.run_id = run.id()});
  }

 private:
  std::optional<PgqrsStore> store_;
};

}  // namespace pgqrs::testing

#endif  // PGQRS_TESTS_CONFORMANCE_WORKFLOW_TEST_H_
